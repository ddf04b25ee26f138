/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/time_ns.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/fd.h"

static int write_offset(const char *clock, const struct zl_time_offset *offset,
                        struct zl_error *err)
{
  char text[64];

  if (!offset->present)
    return 0;
  (void)snprintf(text, sizeof(text), "%s %" PRId64 " %" PRIu32, clock, offset->secs,
                 offset->nanosecs);
  return zl_file_poke(AT_FDCWD, "/proc/self/timens_offsets", text, err);
}

int zl_time_ns_begin(const struct zl_engine_config *config, struct zl_ns_plan *plan, int *ret_own,
                     struct zl_error *err)
{
  zl_autofd own = -1;
  int r;

  *ret_own = -1;
  if (!(plan->create & CLONE_NEWTIME) || !(config->monotonic.present || config->boottime.present))
    return 0;
  own = zl_fd_open(AT_FDCWD, "/proc/self/ns/time", O_RDONLY, 0);
  if (own < 0)
    return zl_fail(err, ZL_E_UNSUPPORTED, -own, "time namespaces");
  if (unshare(CLONE_NEWTIME) < 0)
    return zl_fail_errno(err, "making a time namespace");
  r = write_offset("monotonic", &config->monotonic, err);
  if (r == 0)
    r = write_offset("boottime", &config->boottime, err);
  if (r < 0) {
    (void)zl_time_ns_end(&own, NULL);
    return r;
  }
  plan->create &= ~CLONE_NEWTIME;
  *ret_own = zl_steal_fd(&own);
  return 0;
}

int zl_time_ns_end(int *own, struct zl_error *err)
{
  int r = 0;

  if (*own >= 0 && setns(*own, CLONE_NEWTIME) < 0)
    r = zl_fail_errno(err, "leaving the container's time namespace");
  zl_fd_closep(own);
  return r;
}
