/* SPDX-License-Identifier: Apache-2.0 */
#include "base/real.h"

#include <stdlib.h>

char *zl_path_real(const char *path)
{
  return realpath(path, NULL);
}
