/* SPDX-License-Identifier: Apache-2.0
 *
 * Test doubles of Windows' services. Only builds with -Dfaults=true know them: functions of the
 * library that ZLAYER_HCS_DOUBLES names (a whole path) win over the host's.
 */
#ifndef ZL_RUNTIME_HCS_WIN32_DOUBLES_H
#define ZL_RUNTIME_HCS_WIN32_DOUBLES_H

#include <stdlib.h>
#include <windows.h>

#ifdef ZL_FAULTS
/* NULL: there is no double of this function. */
static inline FARPROC zl_hcs_double(const char *name)
{
  const char *path = getenv("ZLAYER_HCS_DOUBLES");
  HMODULE module = NULL;

  if (path != NULL)
    module =
        LoadLibraryExA(path, NULL, LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR | LOAD_LIBRARY_SEARCH_SYSTEM32);
  return module != NULL ? GetProcAddress(module, name) : NULL;
}
#else
static inline FARPROC zl_hcs_double(const char *name)
{
  (void)name;
  return NULL;
}
#endif

#endif
