/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/helpers.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/strv.h"

#define SHIM_NAME "zlayer-shim"

static bool has_helpers(const char *dir)
{
  zl_autofree char *path = zl_asprintf("%s/" SHIM_NAME, dir);

  return path != NULL && access(path, X_OK) == 0;
}

int zl_helpers_find(char **ret, struct zl_error *err)
{
  char self[4096]; /* the longest path the kernel gives */
  ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
  const char *dir = ZL_LIBEXEC_DIR;
  char *slash;

  self[n > 0 ? n : 0] = '\0';
  slash = strrchr(self, '/');
  if (slash != NULL) {
    *slash = '\0';
    if (has_helpers(self))
      dir = self;
  }
  *ret = strdup(dir);
  return *ret != NULL ? 0 : zl_fail_nomem(err, "directory of the helper programs");
}
