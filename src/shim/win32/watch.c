/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/watch.h"

#include "shim/lifecycle.h"
#include "shim/win32/loop.h"

static void due(void *ctx)
{
  lifecycle_timer(ctx);
}

void watch_set_timer(struct shim *shim, uint64_t at_ns)
{
  loop_at(at_ns, due, shim);
}

/* Windows tells processes without a window or console nothing before it ends them. */
int watch_open(struct shim *shim, struct zl_error *err)
{
  (void)shim;
  (void)err;
  return 0;
}
