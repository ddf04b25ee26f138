/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by the files of the Linux backend.
 */
#ifndef ZL_RUNTIME_LINUX_PRIVATE_H
#define ZL_RUNTIME_LINUX_PRIVATE_H

#include <limits.h>
#include <pthread.h>

#include "runtime/linux/linux.h"
#include "runtime/node.h"

enum {
  ZL_LINUX_CGROUP = 512 /* cgroup_parent, "/zlayer-", tag, "-", id */
};

struct zl_linux_backend {
  struct zl_backend base;
  pthread_mutex_t lock;
  int shim_fd; /* the shim's file on a read-only mount of its own; -1: not opened yet */
};

/* create.c */
int zl_linux_create(struct zl_backend *backend, const struct zl_container_plan *plan,
                    struct zl_error *err);
/* "/zlayer-<tag>-": every top-level cgroup of this root begins so. */
int zl_linux_cgroup_prefix(struct zl_runtime *rt, char prefix[ZL_LINUX_CGROUP],
                           struct zl_error *err);

/* launch.c: starts a shim that waits for its container. */
int zl_linux_prepare(struct zl_backend *backend, const char *id, const struct zl_service *service,
                     int *ret_fd, struct zl_error *err);
/* Hands the container to the shim that waits, and waits in turn until it is made. */
int zl_linux_launch(const struct zl_container_plan *plan, struct zl_error *err);

/* facts.c */
int zl_linux_state(struct zl_backend *backend, const char *id, struct zl_facts *ret,
                   struct zl_error *err);
int zl_linux_wait(struct zl_backend *backend, const char *id, uint64_t deadline_ns, int cancel_fd,
                  struct zl_error *err);
/* Connects to a container's shim. ZL_E_CONFLICT: it does not run. */
int zl_linux_connect(struct zl_runtime *rt, const char *id, int *ret_fd, struct zl_error *err);

/* reap.c */
int zl_linux_remove(struct zl_backend *backend, const char *id, struct zl_error *err);
int zl_linux_enumerate(struct zl_backend *backend, zl_id_fn fn, void *payload,
                       struct zl_error *err);

/* attach.c, exec.c */
int zl_linux_attach(struct zl_backend *backend, const char *id, struct zl_session **ret,
                    struct zl_error *err);
int zl_linux_exec(struct zl_backend *backend, const char *id, const struct zl_exec_options *options,
                  struct zl_session **ret, struct zl_error *err);

/* config.json of a container. The caller releases *ret. */
int zl_linux_load_bundle(int dir_fd, json_t **ret, struct zl_error *err);

#endif
