/* SPDX-License-Identifier: Apache-2.0
 *
 * The texts of states and reasons.
 */
#include <stddef.h>
#include <zlayer/runtime.h>

#include "base/cleanup.h"

const char *zl_state_name(enum zl_state state)
{
  static const char *const names[] = {
    [ZL_STATE_PENDING] = "pending", [ZL_STATE_INITIALIZING] = "initializing",
    [ZL_STATE_RUNNING] = "running", [ZL_STATE_STOPPING] = "stopping",
    [ZL_STATE_EXITED] = "exited",   [ZL_STATE_FAILED] = "failed",
  };

  return (size_t)state < ZL_COUNT(names) ? names[state] : "unknown";
}

const char *zl_exit_reason_name(enum zl_exit_reason reason)
{
  static const char *const names[] = {
    [ZL_EXIT_EXITED] = "exited",
    [ZL_EXIT_SIGNAL] = "signal",
    [ZL_EXIT_OOM_KILLED] = "oom_killed",
    [ZL_EXIT_RUNTIME_ERROR] = "runtime_error",
  };

  return (size_t)reason < ZL_COUNT(names) ? names[reason] : "unknown";
}
