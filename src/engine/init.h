/* SPDX-License-Identifier: Apache-2.0
 *
 * The first process of a container, from its birth to its program.
 */
#ifndef ZL_ENGINE_INIT_H
#define ZL_ENGINE_INIT_H

#include <stdbool.h>
#include <zlayer/error.h>

#include "engine/container.h"
#include "engine/devices.h"
#include "engine/listener.h"
#include "engine/mounts.h"
#include "engine/namespaces.h"

/* What the runtime has opened for it. */
struct zl_init {
  const struct zl_container_spec *spec;
  const struct zl_seccomp_filter *filter; /* NULL: unconfined */
  struct zl_ns_plan plan;
  struct zl_mounts mounts;
  struct zl_device_binds device_binds;
  struct zl_listener listener;
  int rootfs_fd; /* borrowed */
  bool entered;  /* it is in its cgroups: what came before it has gone there */
  int sync_fd;   /* the child's end */
};

#define ZL_INIT_INIT                                                                         \
  {                                                                                          \
    .plan = { .join_fd = { -1, -1, -1, -1, -1, -1, -1, -1 } }, .listener = ZL_LISTENER_INIT, \
    .rootfs_fd = -1, .sync_fd = -1                                                           \
  }

/* Releases the runtime's copies. */
void zl_init_done(struct zl_init *init);

/* In the runtime, after its last barrier: runs its hooks when the child has made its mounts. */
int zl_init_serve_hooks(const struct zl_container_spec *spec, pid_t pid, int sync_fd,
                        struct zl_error *err);

/* Builds the container around the calling process, waits for the start and executes the program.
 * Failures go to the runtime through sync_fd. */
_Noreturn void zl_init_main(struct zl_init *init);

#endif
