/* SPDX-License-Identifier: Apache-2.0
 *
 * What a shim is started with: nothing, but in builds with -Dfaults=true what the tests say.
 */
#ifndef ZL_RUNTIME_SHIM_WIN32_ENVIRONMENT_H
#define ZL_RUNTIME_SHIM_WIN32_ENVIRONMENT_H

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/strv.h"

#ifdef ZL_FAULTS
static inline char **zl_shim_environment(void)
{
  static const char *const names[] = { "ZLAYER_HCS_DOUBLES", "HCS_SIM_DIR", "HCS_SIM_LIBS",
                                       "ZL_FAULTS" };
  char **env = NULL;

  for (size_t i = 0; i < ZL_COUNT(names); i++) {
    const char *value = getenv(names[i]);
    zl_autofree char *text = value != NULL ? zl_asprintf("%s=%s", names[i], value) : NULL;

    if (text != NULL)
      (void)zl_strv_push(&env, text, NULL);
  }
  return env;
}
#else
static inline char **zl_shim_environment(void)
{
  return NULL;
}
#endif

#endif
