/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/helpers.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/strv.h"

static bool has_helpers(const char *dir)
{
  zl_autofree char *path = zl_asprintf("%s/%s", dir, zl_helpers_shim());

  return path != NULL && access(path, X_OK) == 0;
}

int zl_helpers_find(char **ret, struct zl_error *err)
{
  zl_autofree char *self = zl_helpers_beside();

  if (self != NULL && has_helpers(self)) {
    *ret = zl_steal_ptr(&self);
    return 0;
  }
  *ret = zl_helpers_installed();
  return *ret != NULL ? 0 : zl_fail_nomem(err, "directory of the helper programs");
}
