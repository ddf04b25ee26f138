/* SPDX-License-Identifier: Apache-2.0
 *
 * The container's cgroup, made when the bundle comes or, at the name that a host gives it, before.
 */
#ifndef ZL_GUEST_GROUP_H
#define ZL_GUEST_GROUP_H

#include <stdbool.h>
#include <zlayer/error.h>

#include "engine/cgroup.h"
#include "engine/config.h"

struct group {
  struct zl_cgroup_root root;
  struct zl_cgroup cgroup;
  bool exists;
  bool is_prepared; /* not a container's yet */
};

#define GROUP_INIT                                      \
  {                                                     \
    .root = { .fd = -1 }, .cgroup = {.unified_fd = -1 } \
  }

/* Makes ZL_GUEST_CGROUP ahead of time, with the rules of a container that names no devices: having
 * the kernel verify them is half of what a first Create costs where the processor is emulated. */
int group_prepare(struct group *group, struct zl_error *err);

/* Makes the cgroup of a bundle at `path` with its limits; none for NULL. After an error the caller
 * removes what there is. */
int group_make(struct group *group, const char *path, const struct zl_resources *res,
               struct zl_error *err);

/* Whether the kernel has killed a process of it for want of memory. */
bool group_had_oom(const struct group *group);

/* Removes it; nothing may run in it. Idempotent. */
void group_remove(struct group *group);

#endif
