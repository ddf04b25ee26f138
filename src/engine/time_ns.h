/* SPDX-License-Identifier: Apache-2.0
 *
 * A time namespace whose clocks are shifted. The offsets can be set only while nobody is inside,
 * and a process that is cloned with CLONE_NEWTIME is inside at once: so the caller makes it for its
 * next child.
 */
#ifndef ZL_ENGINE_TIME_NS_H
#define ZL_ENGINE_TIME_NS_H

#include <zlayer/error.h>

#include "engine/namespaces.h"

/* Children of the caller are born in a new time namespace with the offsets of `config`, and `plan`
 * no longer makes one; *ret_own is the caller's own, for zl_time_ns_end. Without offsets nothing
 * happens and *ret_own is -1. */
int zl_time_ns_begin(const struct zl_engine_config *config, struct zl_ns_plan *plan, int *ret_own,
                     struct zl_error *err);
/* Children are the caller's own again. Closes the descriptor; -1 is a no-op. */
int zl_time_ns_end(int *own, struct zl_error *err);

#endif
