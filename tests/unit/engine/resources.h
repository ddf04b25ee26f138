/* SPDX-License-Identifier: Apache-2.0
 *
 * Of the tests of cgroups: resources of which nothing is said, and calls that have to succeed.
 */
#ifndef ZL_TEST_ENGINE_RESOURCES_H
#define ZL_TEST_ENGINE_RESOURCES_H

#include "engine/config.h"

static const struct zl_resources nothing = {
  .cpu_shares = ZL_UNSET,
  .cpu_quota_us = ZL_UNSET,
  .cpu_period_us = ZL_UNSET,
  .cpu_burst_us = ZL_UNSET,
  .cpu_rt_runtime_us = ZL_UNSET,
  .cpu_rt_period_us = ZL_UNSET,
  .cpu_idle = ZL_UNSET,
  .memory_limit = ZL_UNSET,
  .memory_reservation = ZL_UNSET,
  .memory_swap = ZL_UNSET,
  .memory_swappiness = ZL_UNSET,
  .pids_limit = ZL_UNSET,
  .blkio_weight = ZL_UNSET,
};

static struct zl_error err; /* of the last failure */

#define OK(call)                                 \
  do {                                           \
    int r_ = (call);                             \
    if (r_ != 0)                                 \
      fail_msg("%s: %d %s", #call, r_, err.msg); \
  } while (0)

#endif
