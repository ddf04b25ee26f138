/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by the files of the Linux backend.
 */
#ifndef ZL_RUNTIME_LINUX_PRIVATE_H
#define ZL_RUNTIME_LINUX_PRIVATE_H

#include "runtime/linux/linux.h"
#include "runtime/shim/shimclient.h"

enum {
  ZL_LINUX_CGROUP = 512 /* cgroup_parent, "/zlayer-", tag, "-", id */
};

/* create.c */
int zl_linux_create(struct zl_backend *backend, const struct zl_container_plan *plan,
                    struct zl_error *err);
/* "/zlayer-<tag>-": every top-level cgroup of this root begins so. */
int zl_linux_cgroup_prefix(struct zl_runtime *rt, char prefix[ZL_LINUX_CGROUP],
                           struct zl_error *err);

/* reap.c */
int zl_linux_remove(struct zl_backend *backend, const char *id, struct zl_error *err);
int zl_linux_enumerate(struct zl_backend *backend, zl_id_fn fn, void *payload,
                       struct zl_error *err);

#endif
