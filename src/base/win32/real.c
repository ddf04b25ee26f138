/* SPDX-License-Identifier: Apache-2.0 */
#include "base/real.h"

#include "base/win32/handle.h"
#include "base/win32/wide.h"

enum {
  MAX_WIDE = 32768 /* characters of a path */
};

/* "\\?\C:\x" and "\\?\UNC\server\share" are what Windows gives; users and services say "C:\x" and
 * "\\server\share". */
static char *without_prefix(wchar_t *path)
{
  if (wcsncmp(path, L"\\\\?\\UNC\\", 8) == 0) {
    path[6] = L'\\';
    return zl_wide_to_utf8(path + 6, wcslen(path + 6));
  }
  if (wcsncmp(path, L"\\\\?\\", 4) == 0)
    path += 4;
  return zl_wide_to_utf8(path, wcslen(path));
}

char *zl_path_real(const char *path)
{
  wchar_t *wide = calloc(MAX_WIDE, sizeof(*wide));
  int fd = wide != NULL ? open(path, O_RDONLY) : -1;
  char *text = NULL;
  int os_error;

  if (fd >= 0) {
    DWORD n = GetFinalPathNameByHandleW(zl_handle_of(fd), wide, MAX_WIDE, FILE_NAME_NORMALIZED);

    if (n > 0 && n < MAX_WIDE)
      text = without_prefix(wide);
    else
      errno = n > 0 ? ENAMETOOLONG : zl_errno_of_last();
  }
  os_error = errno;
  if (fd >= 0)
    (void)close(fd);
  free(wide);
  errno = os_error;
  return text;
}
