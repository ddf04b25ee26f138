/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_ENGINE_STATE_H
#define ZL_ENGINE_STATE_H

#include <sys/types.h>
#include <zlayer/error.h>

#include "base/json.h"

/* The OCI state document `state`, as the caller of the engine has it, with what the engine knows:
 * "status" and, unless it is 0, "pid". The caller owns *ret. ZL_E_INVALID: it is no object. */
int zl_state_parse(const char *state, const char *status, pid_t pid, json_t **ret,
                   struct zl_error *err);

#endif
