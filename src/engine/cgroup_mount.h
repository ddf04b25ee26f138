/* SPDX-License-Identifier: Apache-2.0
 *
 * The cgroup file systems inside a container.
 */
#ifndef ZL_ENGINE_CGROUP_MOUNT_H
#define ZL_ENGINE_CGROUP_MOUNT_H

#include <zlayer/error.h>

#include "engine/config.h"

/* Shows at m->destination below root_fd what the host has: the unified hierarchy, or a read-only
 * directory with each v1 hierarchy (and `unified` on a hybrid host). The caller must be in its
 * cgroup namespace already, so that it sees its own cgroup as the root; of v1 hierarchies its own
 * part is shown without one too (`namespaced` is false). `proc_fd`: private procfs. */
int zl_cgroup_mount(const struct zl_mount *m, bool namespaced, int root_fd, int proc_fd,
                    struct zl_error *err);

#endif
