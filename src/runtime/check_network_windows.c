/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/check.h"

/* Endpoints and network are the backend's (its sweep); rows without a container are looked at like
 * everywhere. */
int zl_check_network(struct zl_check *check, struct zl_error *err)
{
  (void)check;
  (void)err;
  return 0;
}
