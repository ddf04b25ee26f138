/* SPDX-License-Identifier: Apache-2.0 */
#include "image/windows/win32/host_win32.h"

#include <stdlib.h>
#include <string.h>

#include "image/windows/win32/native.h"

#include <sddl.h>

#include "base/cleanup.h"
#include "base/win32/nt.h"
#include "base/win32/wide.h"

enum {
  CHUNK = 256 << 10,
  LISTING = 64 << 10,
  MAX_WRITE = 1 << 20
};

struct zl_win_file {
  const struct zl_win_host_options *host;
  HANDLE handle;
  void *context; /* of BackupWrite, between its calls */
  bool security;
  char *path; /* for messages */
};

/* ---- Files being made ------------------------------------------------------------------------ */

static int host_close(struct zl_win_file *file, struct zl_error *err)
{
  int r = 0;

  if (file == NULL)
    return 0;
  if (file->context != NULL) {
    uint32_t done = 0;

    (void)file->host->backup_write(file->handle, NULL, 0, &done, TRUE, file->security,
                                   &file->context);
  }
  if (file->handle != NULL && !CloseHandle(file->handle))
    r = zl_native_fail("closing", file->path, err);
  free(file->path);
  free(file);
  return r;
}

static bool is_reparse_point(HANDLE handle)
{
  FILE_ATTRIBUTE_TAG_INFO info = { 0 };

  return GetFileInformationByHandleEx(handle, FileAttributeTagInfo, &info, sizeof(info)) &&
         (info.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0;
}

static int open_file(struct zl_win_file *file, struct zl_win_place at, enum zl_win_how how,
                     struct zl_error *err)
{
  ACCESS_MASK access = (ACCESS_MASK)ZL_NATIVE_WRITE | (file->security ? ZL_NATIVE_SECURITY : 0);
  int r = zl_native_open(
      file->host, at, access, how == ZL_WIN_OLD_DIRECTORY ? FILE_OPEN : FILE_CREATE,
      how == ZL_WIN_NEW_FILE ? FILE_NON_DIRECTORY_FILE : FILE_DIRECTORY_FILE, &file->handle, err);

  if (r == 0 && how == ZL_WIN_OLD_DIRECTORY && is_reparse_point(file->handle))
    return zl_fail(err, ZL_E_CORRUPT, 0, "'%s': a reparse point", at.path);
  return r;
}

static int host_open(void *host, struct zl_win_place at, enum zl_win_how how, bool security,
                     struct zl_win_file **ret, struct zl_error *err)
{
  struct zl_win_file *file = calloc(1, sizeof(*file));
  int r;

  if (file != NULL)
    file->path = strdup(at.path);
  if (file == NULL || file->path == NULL) {
    free(file);
    return zl_fail_nomem(err, "a file of a layer");
  }
  file->host = host;
  file->security = security;
  r = open_file(file, at, how, err);
  if (r < 0) {
    (void)host_close(file, NULL);
    return r;
  }
  *ret = file;
  return 0;
}

static int set_basic(HANDLE handle, const struct zl_win_basic *basic, const char *path,
                     struct zl_error *err)
{
  FILE_BASIC_INFO info = { .FileAttributes = basic->attributes };

  info.CreationTime.QuadPart = basic->created;
  info.LastAccessTime.QuadPart = basic->accessed;
  info.LastWriteTime.QuadPart = basic->written;
  info.ChangeTime.QuadPart = basic->changed;
  return SetFileInformationByHandle(handle, FileBasicInfo, &info, sizeof(info))
             ? 0
             : zl_native_fail("times and attributes of", path, err);
}

static int host_set_basic(struct zl_win_file *file, const struct zl_win_basic *basic,
                          struct zl_error *err)
{
  return set_basic(file->handle, basic, file->path, err);
}

static int host_write(struct zl_win_file *file, const void *data, size_t len, struct zl_error *err)
{
  const uint8_t *p = data;

  while (len > 0) {
    DWORD n = len < MAX_WRITE ? (DWORD)len : MAX_WRITE, done = 0;

    if (!WriteFile(file->handle, p, n, &done, NULL) || done == 0)
      return zl_native_fail("writing", file->path, err);
    p += done;
    len -= done;
  }
  return 0;
}

static int host_write_backup(struct zl_win_file *file, const void *data, size_t len,
                             struct zl_error *err)
{
  const uint8_t *p = data;

  while (len > 0) {
    uint32_t n = len < MAX_WRITE ? (uint32_t)len : MAX_WRITE, done = 0;

    if (!file->host->backup_write(file->handle, (uint8_t *)(uintptr_t)p, n, &done, FALSE,
                                  file->security, &file->context) ||
        done == 0)
      return zl_native_fail("writing the streams of", file->path, err);
    p += done;
    len -= done;
  }
  return 0;
}

/* ---- Looking --------------------------------------------------------------------------------- */

static int get_basic(HANDLE handle, struct zl_win_basic *ret, const char *path,
                     struct zl_error *err)
{
  FILE_BASIC_INFO info = { 0 };

  if (!GetFileInformationByHandleEx(handle, FileBasicInfo, &info, sizeof(info)))
    return zl_native_fail("reading the attributes of", path, err);
  *ret = (struct zl_win_basic){ .created = info.CreationTime.QuadPart,
                                .accessed = info.LastAccessTime.QuadPart,
                                .written = info.LastWriteTime.QuadPart,
                                .changed = info.ChangeTime.QuadPart,
                                .attributes = info.FileAttributes };
  return 0;
}

static int host_stat(void *host, struct zl_win_place at, struct zl_win_basic *ret,
                     struct zl_error *err)
{
  zl_autohandle handle = NULL;
  int r = zl_native_open(host, at, FILE_READ_ATTRIBUTES, FILE_OPEN, 0, &handle, err);

  return r < 0 ? r : get_basic(handle, ret, at.path, err);
}

static int list_one(const FILE_ID_BOTH_DIR_INFO *info, zl_win_list_fn fn, void *ctx,
                    struct zl_error *err)
{
  zl_autofree char *name = zl_wide_to_utf8(info->FileName, info->FileNameLength / sizeof(wchar_t));

  if (name == NULL)
    return zl_fail(err, ZL_E_CORRUPT, 0, "a name that is not UTF-16");
  if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
    return 0;
  return fn(ctx, name, info->FileAttributes, err);
}

static int list_chunk(const uint8_t *chunk, zl_win_list_fn fn, void *ctx, struct zl_error *err)
{
  const FILE_ID_BOTH_DIR_INFO *info;
  int r;

  do {
    info = (const FILE_ID_BOTH_DIR_INFO *)(const void *)chunk;
    r = list_one(info, fn, ctx, err);
    chunk += info->NextEntryOffset;
  } while (r == 0 && info->NextEntryOffset != 0);
  return r;
}

static int host_list(void *host, struct zl_win_place at, zl_win_list_fn fn, void *ctx,
                     struct zl_error *err)
{
  zl_autofree uint8_t *chunk = malloc(LISTING);
  zl_autohandle handle = NULL;
  int r =
      zl_native_open(host, at, FILE_LIST_DIRECTORY, FILE_OPEN, FILE_DIRECTORY_FILE, &handle, err);

  if (r == 0 && chunk == NULL)
    r = zl_fail_nomem(err, "a directory of a layer");
  if (r == 0 && is_reparse_point(handle))
    r = zl_fail(err, ZL_E_CORRUPT, 0, "'%s': a reparse point", at.path);
  while (r == 0) {
    if (!GetFileInformationByHandleEx(handle, FileIdBothDirectoryInfo, chunk, LISTING))
      return GetLastError() == ERROR_NO_MORE_FILES ? 0 : zl_native_fail("listing", at.path, err);
    r = list_chunk(chunk, fn, ctx, err);
  }
  return r;
}

/* ---- Copies, links, removal ------------------------------------------------------------------ */

static int copy_streams(HANDLE from, struct zl_win_file *to, struct zl_error *err)
{
  zl_autofree uint8_t *chunk = malloc(CHUNK);
  void *context = NULL;
  uint32_t done = 1;
  int r = chunk != NULL ? 0 : zl_fail_nomem(err, "copying a file of a layer");

  while (r == 0 && done > 0) {
    if (!to->host->backup_read(from, chunk, CHUNK, &done, FALSE, TRUE, &context))
      r = zl_native_fail("reading the streams of", to->path, err);
    else if (done > 0)
      r = host_write_backup(to, chunk, done, err);
  }
  if (context != NULL)
    (void)to->host->backup_read(from, NULL, 0, &done, TRUE, TRUE, &context);
  return r;
}

static int host_copy(void *host, struct zl_win_place from, struct zl_win_place to,
                     struct zl_error *err)
{
  struct zl_win_basic basic = { 0 };
  zl_autohandle handle = NULL;
  struct zl_win_file *file = NULL;
  int r =
      zl_native_open(host, from, GENERIC_READ | ACCESS_SYSTEM_SECURITY, FILE_OPEN, 0, &handle, err);
  int closed;

  if (r == 0)
    r = get_basic(handle, &basic, from.path, err);
  if (r == 0)
    r = host_open(host, to,
                  (basic.attributes & ZL_WIN_DIRECTORY) != 0 ? ZL_WIN_NEW_DIRECTORY
                                                             : ZL_WIN_NEW_FILE,
                  true, &file, err);
  if (r < 0)
    return r;
  r = set_basic(file->handle, &basic, to.path, err);
  if (r == 0)
    r = copy_streams(handle, file, err);
  closed = host_close(file, r < 0 ? NULL : err);
  return r < 0 ? r : closed;
}

static int host_link(void *host, struct zl_win_place from, struct zl_win_place to,
                     struct zl_error *err)
{
  zl_autohandle handle = NULL;
  int r = zl_native_open(host, from, FILE_WRITE_ATTRIBUTES, FILE_OPEN, FILE_NON_DIRECTORY_FILE,
                         &handle, err);

  return r < 0 ? r : zl_native_link(host, handle, to, err);
}

static int host_remove(void *host, struct zl_win_place at, struct zl_error *err)
{
  zl_autohandle handle = NULL;
  int r = zl_native_open(host, at, DELETE | FILE_READ_ATTRIBUTES, FILE_OPEN, 0, &handle, err);

  return r < 0 ? r : zl_native_remove(handle, at, err);
}

/* ---- Windows' own work ----------------------------------------------------------------------- */

static int host_read_sddl(void *host, const char *sddl, struct zl_buf *ret, struct zl_error *err)
{
  zl_autofree wchar_t *wide = zl_wide_of(sddl);
  PSECURITY_DESCRIPTOR descriptor = NULL;
  int r;

  (void)host;
  if (wide == NULL)
    return zl_fail(err, ZL_E_CORRUPT, 0, "no text");
  if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(wide, SDDL_REVISION_1, &descriptor,
                                                            NULL))
    return zl_fail(err, ZL_E_CORRUPT, (int)HRESULT_FROM_WIN32(GetLastError()),
                   "no security descriptor");
  r = zl_buf_append(ret, descriptor, GetSecurityDescriptorLength(descriptor), err);
  (void)LocalFree(descriptor);
  return r;
}

static int host_import_layer(void *host, struct zl_error *err)
{
  const struct zl_win_host_options *h = host;

  return h->import_layer(h->ctx, err);
}

static int host_process_base(void *host, struct zl_error *err)
{
  const struct zl_win_host_options *h = host;

  return h->process_base(h->ctx, err);
}

static int host_process_utility(void *host, struct zl_error *err)
{
  const struct zl_win_host_options *h = host;

  return h->process_utility(h->ctx, err);
}

const struct zl_win_host_ops zl_win_host_win32 = { .open = host_open,
                                                   .set_basic = host_set_basic,
                                                   .write = host_write,
                                                   .write_backup = host_write_backup,
                                                   .close = host_close,
                                                   .stat = host_stat,
                                                   .list = host_list,
                                                   .copy = host_copy,
                                                   .link = host_link,
                                                   .remove = host_remove,
                                                   .read_sddl = host_read_sddl,
                                                   .import_layer = host_import_layer,
                                                   .process_base = host_process_base,
                                                   .process_utility = host_process_utility };
