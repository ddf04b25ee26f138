/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/helpers.h"

const char *zl_helpers_shim(void)
{
  return "zlayer-shim";
}

char *zl_helpers_beside(void)
{
  char self[4096]; /* the longest path the kernel gives */
  ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
  char *slash;

  self[n > 0 ? n : 0] = '\0';
  slash = strrchr(self, '/');
  if (slash == NULL)
    return NULL;
  *slash = '\0';
  return strdup(self);
}

char *zl_helpers_installed(void)
{
  return strdup(ZL_LIBEXEC_DIR);
}
