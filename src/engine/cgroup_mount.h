/* SPDX-License-Identifier: Apache-2.0
 *
 * The cgroup file systems inside a container.
 */
#ifndef ZL_ENGINE_CGROUP_MOUNT_H
#define ZL_ENGINE_CGROUP_MOUNT_H

#include <stddef.h>
#include <zlayer/error.h>

#include "base/cleanup.h"
#include "engine/config.h"

enum {
  ZL_CGROUP_VIEWS = 24,    /* hierarchies: the kernel has 14 controllers, plus named ones */
  ZL_CGROUP_VIEW_NAME = 64 /* all of them on one hierarchy are longer, and nobody does that */
};

/* Copies of the host's own mounts. */
struct zl_cgroup_views {
  size_t n;
  struct zl_cgroup_view {
    char name[ZL_CGROUP_VIEW_NAME]; /* "": it is the only one */
    int fd;
  } items[ZL_CGROUP_VIEWS];
};

/* For a container without a cgroup namespace of its own, whose first process, in its cgroups by now
 * and in its mount namespace, still sees the host's root: takes what m->destination is to show, the
 * container's own cgroup of each v1 hierarchy or the whole of v2 (as runc and crun do it). A cgroup
 * file system mounted anew would show the host's, and waits for a grace period of RCU: 10 ms.
 * *views is released with zl_cgroup_views_done, also after an error. */
int zl_cgroup_views_open(const struct zl_mount *m, int proc_fd, struct zl_cgroup_views *views,
                         struct zl_error *err);
void zl_cgroup_views_done(struct zl_cgroup_views *views);

/* Shows at m->destination below root_fd what is in *views, which is used up by it; otherwise what
 * the host has: the unified hierarchy, or a read-only directory with each v1 hierarchy (and
 * `unified` on a hybrid host). Then the caller must be in its cgroup namespace already, so that it
 * sees its own cgroup as the root. `proc_fd`: private procfs.
 */
int zl_cgroup_mount(const struct zl_mount *m, int root_fd, int proc_fd,
                    struct zl_cgroup_views *views, struct zl_error *err);

#endif
