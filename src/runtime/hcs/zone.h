/* SPDX-License-Identifier: Apache-2.0
 *
 * The host's time zone as a guest is told it.
 */
#ifndef ZL_RUNTIME_HCS_ZONE_H
#define ZL_RUNTIME_HCS_ZONE_H

#include "bridge/rpc_windows.h"
#include "runtime/hcs/api.h"

enum {
  ZL_HCS_ZONE_NAME = 97 /* 32 units of UTF-16, each at most three bytes, and a NUL */
};

struct zl_hcs_zone {
  struct zl_rpc_time_zone zone; /* its texts are the two below */
  char standard[ZL_HCS_ZONE_NAME], daylight[ZL_HCS_ZONE_NAME];
};

/* `ret` must not be moved afterwards. */
int zl_hcs_zone_of(const struct zl_hcs_api *api, struct zl_hcs_zone *ret, struct zl_error *err);

#endif
