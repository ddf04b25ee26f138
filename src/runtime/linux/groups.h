/* SPDX-License-Identifier: Apache-2.0
 *
 * The cgroups of containers as the library needs them: after their shim has died, and for finding
 * what exists. (Apart from the other files because the engine's types of a bundle have the names
 * of those of a service.)
 */
#ifndef ZL_RUNTIME_LINUX_GROUPS_H
#define ZL_RUNTIME_LINUX_GROUPS_H

#include <zlayer/error.h>

/* Kills what is in the cgroup and removes it. Idempotent; blocks until it is gone. */
int zl_groups_reap(const char *path, struct zl_error *err);

/* Calls fn with the name of each top-level cgroup that begins with `prefix`. Non-zero ends it. */
int zl_groups_list(const char *prefix, int (*fn)(void *payload, const char *name), void *payload,
                   struct zl_error *err);

/* "v1", "hybrid", "v2" or "none"; static. */
const char *zl_groups_mode(void);

#endif
