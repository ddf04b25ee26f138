/* SPDX-License-Identifier: Apache-2.0
 *
 * The shim's timer and what it is told by the system.
 */
#ifndef ZL_SHIM_WATCH_H
#define ZL_SHIM_WATCH_H

#include "shim/shim.h"

/* Watches the timer and the shim's own signals. */
int watch_open(struct shim *shim, struct zl_error *err);
/* lifecycle_timer is called at that CLOCK_BOOTTIME; replaces the time before. */
void watch_set_timer(struct shim *shim, uint64_t at_ns);

/* Linux: an ended child that a debugger traces belongs to the debugger until that lets go of it;
 * the parent is told by SIGCHLD then, and by nothing else. Listens for it from now on. */
void watch_await_tracer(struct shim *shim);

#endif
