/* SPDX-License-Identifier: Apache-2.0
 *
 * Removing, renaming and linking by handle. The file system's POSIX semantics are tried first
 * (NTFS from Windows 10 1709 on), so that open files hinder nobody; elsewhere the older call.
 */
#include <stddef.h>

#include "base/win32/handle.h"
#include "base/win32/nt.h"

enum {
  CANNOT_DELETE = (int)0xC0000121, /* NTSTATUS: the file is read-only, or mapped */
  DISPOSITION_DELETE = 1,
  DISPOSITION_POSIX = 2,
  DISPOSITION_READ_ONLY_TOO = 0x10,
  REPLACE = 1,
  RENAME_POSIX = 2,
  RENAME_READ_ONLY_TOO = 0x40,
  BUSY_TRIES = 20,
  BUSY_STEP_MS = 5
};

NTSTATUS NTAPI NtSetInformationFile(HANDLE file, IO_STATUS_BLOCK *io, void *data, ULONG len,
                                    FILE_INFORMATION_CLASS kind);

static NTSTATUS set(HANDLE handle, const void *data, size_t len, int kind)
{
  IO_STATUS_BLOCK io = { 0 };

  return NtSetInformationFile(handle, &io, (void *)(uintptr_t)data, (ULONG)len,
                              (FILE_INFORMATION_CLASS)kind);
}

/* The answers of a file system, or a Windows, that does not know the newer call. */
static bool is_unknown(NTSTATUS status)
{
  const unsigned s = (unsigned)status;

  return s == 0xC0000003 || s == 0xC000000D || s == 0xC0000010 || s == 0xC00000BB ||
         s == 0xC0000002;
}

static bool is_directory(HANDLE handle)
{
  FILE_ATTRIBUTE_TAG_INFO info = { 0 };

  return GetFileInformationByHandleEx(handle, FileAttributeTagInfo, &info, sizeof(info)) &&
         (info.FileAttributes & (FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT)) ==
             FILE_ATTRIBUTE_DIRECTORY;
}

/* The attribute belongs to the file, which may have other names. */
static NTSTATUS remove_read_only(HANDLE parent, const wchar_t *name)
{
  const struct zl_nt_open how = { .access = DELETE | FILE_READ_ATTRIBUTES | FILE_WRITE_ATTRIBUTES,
                                  .disposition = FILE_OPEN };
  const BOOLEAN gone = TRUE;
  zl_autohandle handle = NULL;
  FILE_BASIC_INFO info = { 0 };
  NTSTATUS status;
  DWORD before;

  if (zl_nt_open_child(parent, name, &how, true, &handle) < 0 ||
      !GetFileInformationByHandleEx(handle, FileBasicInfo, &info, sizeof(info)) ||
      (info.FileAttributes & FILE_ATTRIBUTE_READONLY) == 0)
    return CANNOT_DELETE;
  before = info.FileAttributes;
  info.FileAttributes = (before & ~(DWORD)FILE_ATTRIBUTE_READONLY) | FILE_ATTRIBUTE_NORMAL;
  if (!SetFileInformationByHandle(handle, FileBasicInfo, &info, sizeof(info)))
    return CANNOT_DELETE;
  status = set(handle, &gone, sizeof(gone), ZL_NT_DISPOSITION);
  info.FileAttributes = before;
  (void)SetFileInformationByHandle(handle, FileBasicInfo, &info, sizeof(info));
  return status;
}

static int remove_handle(HANDLE handle, HANDLE parent, const wchar_t *name)
{
  const ULONG flags = DISPOSITION_DELETE | DISPOSITION_POSIX | DISPOSITION_READ_ONLY_TOO;
  const BOOLEAN gone = TRUE;
  NTSTATUS status = set(handle, &flags, sizeof(flags), ZL_NT_DISPOSITION_EX);

  if (is_unknown(status)) {
    status = set(handle, &gone, sizeof(gone), ZL_NT_DISPOSITION);
    if (status == CANNOT_DELETE)
      status = remove_read_only(parent, name);
  }
  return status < 0 ? -zl_errno_of_status(status) : 0;
}

static int unlink_at(int dirfd, const char *path, int flags)
{
  const struct zl_nt_open how = { .access = DELETE | FILE_READ_ATTRIBUTES,
                                  .disposition = FILE_OPEN,
                                  .options = (flags & AT_REMOVEDIR) ? FILE_DIRECTORY_FILE : 0 };
  zl_autohandle owned = NULL, handle = NULL;
  zl_autofree wchar_t *name = NULL;
  HANDLE parent = NULL;
  int r = zl_nt_open_parent(dirfd, path, &parent, &owned, &name);

  if (r == 0)
    r = zl_nt_open_child(parent, name, &how, true, &handle);
  if (r == 0 && (flags & AT_REMOVEDIR) == 0 && is_directory(handle))
    r = -EISDIR;
  return r < 0 ? r : remove_handle(handle, parent, name);
}

int zl_posix_unlinkat(int dirfd, const char *path, int flags)
{
  int r = unlink_at(dirfd, path, flags);

  return r < 0 ? zl_posix_fail(-r) : 0;
}

int zl_posix_unlink(const char *path)
{
  return unlinkat(AT_FDCWD, path, 0);
}

/* FILE_RENAME_INFORMATION and FILE_LINK_INFORMATION, which are alike. */
struct naming {
  ULONG flags; /* the older ones: one byte, replace or not */
  HANDLE root;
  ULONG len;
  wchar_t name[];
};

static struct naming *new_naming(HANDLE root, const wchar_t *name, size_t *ret_size)
{
  const size_t bytes = wcslen(name) * sizeof(*name);
  struct naming *n = calloc(1, sizeof(*n) + bytes + sizeof(*name));

  if (n == NULL)
    return NULL;
  n->root = root;
  n->len = (ULONG)bytes;
  memcpy(n->name, name, bytes);
  *ret_size = offsetof(struct naming, name) + bytes;
  if (*ret_size < sizeof(*n))
    *ret_size = sizeof(*n);
  return n;
}

/* The older call refuses while somebody has the file of the new name open. Readers of ours have
 * theirs for moments only. */
static NTSTATUS rename_old(HANDLE handle, const struct naming *n, size_t size)
{
  NTSTATUS status = set(handle, n, size, ZL_NT_RENAME);

  for (int i = 0; i < BUSY_TRIES && zl_errno_of_status(status) == EACCES; i++) {
    Sleep(BUSY_STEP_MS);
    status = set(handle, n, size, ZL_NT_RENAME);
  }
  return status;
}

static int rename_handle(HANDLE handle, HANDLE root, const wchar_t *name, bool replace)
{
  size_t size = 0;
  zl_autofree struct naming *n = new_naming(root, name, &size);
  NTSTATUS status;

  if (n == NULL)
    return -ENOMEM;
  n->flags = RENAME_POSIX | RENAME_READ_ONLY_TOO | (replace ? REPLACE : 0);
  status = set(handle, n, size, ZL_NT_RENAME_EX);
  if (is_unknown(status)) {
    n->flags = replace;
    status = rename_old(handle, n, size);
  }
  return status < 0 ? -zl_errno_of_status(status) : 0;
}

static int link_handle(HANDLE handle, HANDLE root, const wchar_t *name)
{
  size_t size = 0;
  zl_autofree struct naming *n = new_naming(root, name, &size);
  NTSTATUS status;

  if (n == NULL)
    return -ENOMEM;
  status = set(handle, n, size, ZL_NT_LINK);
  return status < 0 ? -zl_errno_of_status(status) : 0;
}

/* Two names, each in its opened directory; the first one opened with `access`. */
struct pair {
  HANDLE old_parent, old_owned, new_parent, new_owned, file;
  wchar_t *old_name, *new_name;
};

static void pair_done(struct pair *p)
{
  zl_nt_closep(&p->old_owned);
  zl_nt_closep(&p->new_owned);
  zl_nt_closep(&p->file);
  free(p->old_name);
  free(p->new_name);
}

static int open_pair(struct pair *p, ACCESS_MASK access, int old_fd, const char *old_path,
                     int new_fd, const char *new_path)
{
  const struct zl_nt_open how = { .access = access | FILE_READ_ATTRIBUTES,
                                  .disposition = FILE_OPEN };
  int r = zl_nt_open_parent(old_fd, old_path, &p->old_parent, &p->old_owned, &p->old_name);

  if (r == 0)
    r = zl_nt_open_parent(new_fd, new_path, &p->new_parent, &p->new_owned, &p->new_name);
  if (r == 0)
    r = zl_nt_open_child(p->old_parent, p->old_name, &how, true, &p->file);
  return r;
}

int zl_posix_renameat2(int old_fd, const char *old_path, int new_fd, const char *new_path,
                       unsigned flags)
{
  ZL_CLEANUP(pair_done) struct pair p = { 0 };
  int r = open_pair(&p, DELETE, old_fd, old_path, new_fd, new_path);

  if (r == 0)
    r = rename_handle(p.file, p.new_parent, p.new_name, (flags & RENAME_NOREPLACE) == 0);
  return r < 0 ? zl_posix_fail(-r) : 0;
}

int zl_posix_renameat(int old_fd, const char *old_path, int new_fd, const char *new_path)
{
  return renameat2(old_fd, old_path, new_fd, new_path, 0);
}

int zl_posix_linkat(int old_fd, const char *old_path, int new_fd, const char *new_path, int flags)
{
  ZL_CLEANUP(pair_done) struct pair p = { 0 };
  int r = flags != 0 ? -EINVAL
                     : open_pair(&p, FILE_WRITE_ATTRIBUTES, old_fd, old_path, new_fd, new_path);

  if (r == 0)
    r = link_handle(p.file, p.new_parent, p.new_name);
  return r < 0 ? zl_posix_fail(-r) : 0;
}
