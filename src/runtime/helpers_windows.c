/* SPDX-License-Identifier: Apache-2.0 */
#include <windows.h>

#include "base/cleanup.h"
#include "base/win32/wide.h"
#include "runtime/helpers.h"

enum {
  MAX_WIDE = 32768 /* characters of a path */
};

const char *zl_helpers_shim(void)
{
  return "zlayer-shim.exe";
}

char *zl_helpers_beside(void)
{
  zl_autofree wchar_t *wide = calloc(MAX_WIDE, sizeof(*wide));
  DWORD n = wide != NULL ? GetModuleFileNameW(NULL, wide, MAX_WIDE) : 0;
  char *path = n > 0 && n < MAX_WIDE ? zl_wide_to_utf8(wide, n) : NULL;
  char *slash = path != NULL ? strrchr(path, '\\') : NULL;

  if (slash != NULL)
    *slash = '\0';
  return path;
}

/* All programs of an installation lie in one directory. */
char *zl_helpers_installed(void)
{
  return zl_helpers_beside();
}
