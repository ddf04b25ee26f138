/* SPDX-License-Identifier: Apache-2.0
 *
 * The container's cgroups, as the shim uses them.
 */
#ifndef ZL_SHIM_GROUP_H
#define ZL_SHIM_GROUP_H

#include <jansson.h>
#include <stdbool.h>
#include <zlayer/error.h>

#include "shim/process/process.h"

/* Makes the cgroups of the bundle with their limits; none without linux.cgroupsPath. */
int group_create(struct process_shim *shim, struct zl_error *err);
/* The unified cgroup to be born in; -1: none. */
int group_fd(const struct process_shim *shim);
/* Moves the calling process, a new one, into them; an engine hook with the shim as its context. */
int group_enter(void *shim, struct zl_error *err);
/* SIGKILL to everything in them, and to the first process. Does not wait. */
int group_kill(struct process_shim *shim, struct zl_error *err);
/* Waits, for a bounded time, until nothing runs in them. */
int group_wait_empty(struct process_shim *shim, struct zl_error *err);
int group_freeze(struct process_shim *shim, bool frozen, struct zl_error *err);
/* Whether the kernel has killed a process for the memory limit. */
bool group_had_oom(const struct process_shim *shim);
/* The members of struct zl_stats; the caller releases *ret. */
int group_stats(struct process_shim *shim, json_t **ret, struct zl_error *err);
/* Removes them. Idempotent. */
int group_remove(struct process_shim *shim, struct zl_error *err);

#endif
