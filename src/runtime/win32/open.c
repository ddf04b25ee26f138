/* SPDX-License-Identifier: Apache-2.0
 *
 * The node's state cannot be opened on Windows yet: there is no backend that would run its
 * containers.
 */
#include <zlayer/runtime.h>

int zl_runtime_open(const struct zl_runtime_options *options, struct zl_runtime **ret,
                    struct zl_error *err)
{
  (void)options;
  (void)ret;
  return zl_fail(err, ZL_E_UNSUPPORTED, 0, "containers cannot be run on Windows nodes yet");
}

void zl_runtime_close(struct zl_runtime *rt)
{
  (void)rt; /* there is none */
}
