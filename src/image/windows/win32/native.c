/* SPDX-License-Identifier: Apache-2.0 */
#include "image/windows/win32/native.h"

#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/win32/handle.h"
#include "base/win32/nt.h"
#include "base/win32/wide.h"

#ifndef OBJ_DONT_REPARSE
#define OBJ_DONT_REPARSE 0x1000
#endif

enum {
  DISPOSITION_DELETE = 1,
  DISPOSITION_POSIX = 2,
  DISPOSITION_READ_ONLY_TOO = 0x10,
  MAX_NAME_BYTES = 0xFFFE /* of a counted text */
};

NTSTATUS NTAPI NtSetInformationFile(HANDLE file, IO_STATUS_BLOCK *io, void *data, ULONG len,
                                    FILE_INFORMATION_CLASS kind);

/* ---- Failures -------------------------------------------------------------------------------- */

static enum zl_code code_of(NTSTATUS status)
{
  switch ((unsigned)status) {
  case 0xC0000034: /* STATUS_OBJECT_NAME_NOT_FOUND */
  case 0xC000003A: /* STATUS_OBJECT_PATH_NOT_FOUND */
  case 0xC000000F: /* STATUS_NO_SUCH_FILE */
    return ZL_E_NOT_FOUND;
  case 0xC0000035: /* STATUS_OBJECT_NAME_COLLISION */
  case 0xC0000101: /* STATUS_DIRECTORY_NOT_EMPTY */
    return ZL_E_CONFLICT;
  case 0xC000050B: /* STATUS_REPARSE_POINT_ENCOUNTERED */
  case 0xC0000103: /* STATUS_NOT_A_DIRECTORY */
    return ZL_E_CORRUPT;
  case 0xC0000022: /* STATUS_ACCESS_DENIED */
  case 0xC0000061: /* STATUS_PRIVILEGE_NOT_HELD */
    return ZL_E_PERMISSION;
  default:
    return ZL_E_SYSTEM;
  }
}

static int fail_status(const char *what, const char *path, NTSTATUS status, struct zl_error *err)
{
  if ((unsigned)status == 0xC000050B)
    return zl_fail(err, ZL_E_CORRUPT, 0, "%s '%s': a reparse point on the way", what, path);
  return zl_fail(err, code_of(status), (int)status, "%s '%s'", what, path);
}

int zl_native_fail(const char *what, const char *path, struct zl_error *err)
{
  DWORD code = GetLastError();

  return zl_fail(err, code == ERROR_ACCESS_DENIED ? ZL_E_PERMISSION : ZL_E_SYSTEM,
                 (int)HRESULT_FROM_WIN32(code), "%s '%s'", what, path);
}

/* ---- Opening --------------------------------------------------------------------------------- */

static HANDLE root_of(const struct zl_win_host_options *h, int root)
{
  int fd = root == ZL_WIN_LAYER ? h->layer_fd : h->staging_fd;

  if (root >= 0)
    fd = (size_t)root < h->n_parents ? h->parent_fds[root] : -1;
  return zl_handle_of(fd);
}

static wchar_t *native_path(const char *path)
{
  wchar_t *wide = zl_wide_of(path);

  for (wchar_t *p = wide; p != NULL && *p != L'\0'; p++)
    if (*p == L'/')
      *p = L'\\';
  return wide;
}

int zl_native_open(const struct zl_win_host_options *h, struct zl_win_place at, ACCESS_MASK access,
                   ULONG disposition, ULONG options, HANDLE *ret, struct zl_error *err)
{
  zl_autofree wchar_t *wide = native_path(at.path);
  const size_t bytes = wide != NULL ? wcslen(wide) * sizeof(*wide) : 0;
  UNICODE_STRING name = { .Length = (USHORT)bytes, .MaximumLength = (USHORT)bytes, .Buffer = wide };
  OBJECT_ATTRIBUTES object = { .Length = sizeof(object),
                               .RootDirectory = root_of(h, at.root),
                               .ObjectName = &name,
                               .Attributes = OBJ_CASE_INSENSITIVE | OBJ_DONT_REPARSE };
  IO_STATUS_BLOCK io = { 0 };
  HANDLE handle = NULL;
  NTSTATUS status;

  if (wide == NULL || bytes > MAX_NAME_BYTES || object.RootDirectory == INVALID_HANDLE_VALUE)
    return zl_fail(err, ZL_E_INVALID, 0, "'%s' cannot be opened on Windows", at.path);
  status = NtCreateFile(&handle, access | SYNCHRONIZE, &object, &io, NULL, FILE_ATTRIBUTE_NORMAL,
                        FILE_SHARE_READ | FILE_SHARE_DELETE, disposition,
                        options | FILE_OPEN_REPARSE_POINT | FILE_OPEN_FOR_BACKUP_INTENT |
                            FILE_SYNCHRONOUS_IO_NONALERT,
                        NULL, 0);
  if (status < 0)
    return fail_status("opening", at.path, status, err);
  *ret = handle;
  return 0;
}

/* ---- Names ----------------------------------------------------------------------------------- */

struct naming { /* FILE_LINK_INFORMATION */
  ULONG replace;
  HANDLE root;
  ULONG len;
  wchar_t name[];
};

static int link_in(HANDLE file, HANDLE directory, const wchar_t *name, const char *path,
                   struct zl_error *err)
{
  const size_t bytes = wcslen(name) * sizeof(*name);
  const size_t size = sizeof(struct naming) + bytes;
  zl_autofree struct naming *n = calloc(1, size);
  IO_STATUS_BLOCK io = { 0 };
  NTSTATUS status;

  if (n == NULL)
    return zl_fail_nomem(err, "a hard link");
  n->root = directory;
  n->len = (ULONG)bytes;
  memcpy(n->name, name, bytes);
  status = NtSetInformationFile(file, &io, n, (ULONG)size, (FILE_INFORMATION_CLASS)(int)ZL_NT_LINK);
  return status < 0 ? fail_status("linking", path, status, err) : 0;
}

int zl_native_link(const struct zl_win_host_options *h, HANDLE file, struct zl_win_place to,
                   struct zl_error *err)
{
  const char *slash = strrchr(to.path, '/');
  zl_autofree char *parent = strndup(to.path, slash != NULL ? (size_t)(slash - to.path) : 0);
  zl_autofree wchar_t *name = zl_wide_of(slash != NULL ? slash + 1 : to.path);
  zl_autohandle directory = NULL;
  int r;

  if (parent == NULL || name == NULL)
    return zl_fail_nomem(err, "a hard link");
  if (slash == NULL)
    return link_in(file, root_of(h, to.root), name, to.path, err);
  r = zl_native_open(h, (struct zl_win_place){ .root = to.root, .path = parent },
                     FILE_TRAVERSE | FILE_ADD_FILE, FILE_OPEN, FILE_DIRECTORY_FILE, &directory,
                     err);
  return r < 0 ? r : link_in(file, directory, name, to.path, err);
}

/* The newer call removes what is open or read-only elsewhere; file systems that lack it take the
 * older one. */
int zl_native_remove(HANDLE file, struct zl_win_place at, struct zl_error *err)
{
  ULONG flags = DISPOSITION_DELETE | DISPOSITION_POSIX | DISPOSITION_READ_ONLY_TOO;
  BOOLEAN gone = TRUE;
  IO_STATUS_BLOCK io = { 0 };
  NTSTATUS status = NtSetInformationFile(file, &io, &flags, sizeof(flags),
                                         (FILE_INFORMATION_CLASS)(int)ZL_NT_DISPOSITION_EX);

  if (status < 0 && code_of(status) == ZL_E_SYSTEM)
    status = NtSetInformationFile(file, &io, &gone, sizeof(gone),
                                  (FILE_INFORMATION_CLASS)(int)ZL_NT_DISPOSITION);
  return status < 0 ? fail_status("removing", at.path, status, err) : 0;
}
