/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/hcs/files.h"

#include "runtime/hcs/wclayer.h"

enum {
  FILE_NOT_FOUND = 2,
  PATH_NOT_FOUND = 3,
  SHARING_VIOLATION = 32,
  ALREADY_EXISTS = 183,
  TRIES = 5,
  PAUSE_MS = 100
};
#define NO_ATTRIBUTES UINT32_MAX

bool zl_hcs_file_exists(const struct zl_hcs_api *api, const char *path)
{
  zl_autofree zl_wchar *wide = NULL;

  return zl_wclayer_path(path, &wide, NULL) == 0 && api->GetFileAttributesW(wide) != NO_ATTRIBUTES;
}

int zl_hcs_make_directory(const struct zl_hcs_api *api, const char *path, struct zl_error *err)
{
  zl_autofree zl_wchar *wide = NULL;
  int r = zl_wclayer_path(path, &wide, err);

  if (r < 0 || api->CreateDirectoryW(wide, NULL) || api->GetLastError() == ALREADY_EXISTS)
    return r;
  return zl_hcs_fail_last(api, err, "making directory '%.200s'", path);
}

static bool is_gone(const struct zl_hcs_api *api)
{
  uint32_t code = api->GetLastError();

  return code == FILE_NOT_FOUND || code == PATH_NOT_FOUND;
}

typedef int (*remove_fn)(const zl_wchar *path);

static int remove_by(const struct zl_hcs_api *api, remove_fn fn, const char *path,
                     struct zl_error *err)
{
  zl_autofree zl_wchar *wide = NULL;
  int r = zl_wclayer_path(path, &wide, err);

  for (int i = 0; r == 0 && i < TRIES; i++) {
    if (fn(wide) || is_gone(api))
      return 0;
    if (api->GetLastError() != SHARING_VIOLATION)
      break;
    api->Sleep(PAUSE_MS);
  }
  return r < 0 ? r : zl_hcs_fail_last(api, err, "removing '%.200s'", path);
}

int zl_hcs_remove_directory(const struct zl_hcs_api *api, const char *path, struct zl_error *err)
{
  return remove_by(api, api->RemoveDirectoryW, path, err);
}

int zl_hcs_remove_file(const struct zl_hcs_api *api, const char *path, struct zl_error *err)
{
  return remove_by(api, api->DeleteFileW, path, err);
}

int zl_hcs_copy_file(const struct zl_hcs_api *api, const char *from, const char *to,
                     struct zl_error *err)
{
  zl_autofree zl_wchar *source = NULL, *target = NULL;
  int r = zl_wclayer_path(from, &source, err);

  if (r == 0)
    r = zl_wclayer_path(to, &target, err);
  if (r < 0 || api->CopyFileW(source, target, 0))
    return r;
  r = zl_hcs_fail_last(api, err, "copying '%.150s' to '%.150s'", from, to);
  (void)zl_hcs_remove_file(api, to, NULL);
  return r;
}
