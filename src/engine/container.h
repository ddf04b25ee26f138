/* SPDX-License-Identifier: Apache-2.0
 *
 * A container: a process in namespaces of its own, on a root of its own, that has not executed its
 * program yet, and the moment when it does. What surrounds it (cgroups, network links, logs) is
 * the caller's. Only for single-threaded programs.
 */
#ifndef ZL_ENGINE_CONTAINER_H
#define ZL_ENGINE_CONTAINER_H

#include <stdint.h>
#include <zlayer/error.h>

#include "engine/child.h"
#include "engine/config.h"
#include "engine/seccomp.h"

struct zl_container_hooks {
  void *ctx;
  /* In the new process, before anything else, while it still has all descriptors of the caller:
   * puts itself into its cgroups. */
  int (*enter)(void *ctx, struct zl_error *err);
  /* In the caller: gives the namespaces of the new process what they need from outside. */
  int (*join)(void *ctx, const struct zl_child *child, struct zl_error *err);
  /* In the container, after `join`: configures its network. `proc_fd` is a private procfs. */
  int (*configure)(void *ctx, int proc_fd, struct zl_error *err);
  /* Each may be NULL: nothing to do. */
};

struct zl_container_spec {
  const struct zl_engine_config *config; /* borrowed for the call */
  struct zl_engine_config *amended; /* for zl_container_prepare: `config` again, the child's copy of
                                       which is amended by the child. Else NULL */
  int dir_fd;    /* holds `upper` and `work` of config->zlayer.layers; -1: none */
  int stdio[3];  /* for the program; -1: its null device; not used with a terminal */
  int cgroup_fd; /* a unified cgroup to be born in; -1: none */
  int netns_fd;  /* a fresh network namespace to use instead of making one; -1: none. Borrowed. Only
                    for a container that has no user namespace of its own */
  const char *state_json; /* the OCI state of the container for the hooks of `config`; the members
                             "status" and "pid" are put in here. NULL: there are none */
  const char *keyring; /* name of a session keyring of its own ("_ses.<id>"); NULL: the caller's */
  struct zl_container_hooks hooks;
  bool is_free;           /* outlives its creator, instead of dying with it */
  int gate_fd;            /* the start comes by this FIFO (engine/gate.h) and not by
                             zl_container_start; -1: not so. Borrowed */
  bool checks_program;    /* a missing program is told now, as always with a gate */
  unsigned preserved_fds; /* this many descriptors from 3 on are the program's too; at most
                             ZL_MAX_PRESERVED_FDS, and open */
};

struct zl_container {
  struct zl_child init;
  int sync_fd;       /* -1 once started */
  int master, slave; /* the terminal; -1: none */
  int rootfs_fd;     /* keeps the root file system: its unmounting, which may have to write to the
                        disk, comes when this is closed, not when the last process ends */
  int namespaces;    /* CLONE_NEW* mask: what an exec must enter */
  struct zl_seccomp_filter filter;
  bool confined; /* `filter` is in force */
};

#define ZL_CONTAINER_INIT                                                              \
  {                                                                                    \
    .init = { .pidfd = -1 }, .sync_fd = -1, .master = -1, .slave = -1, .rootfs_fd = -1 \
  }

/* Builds the container; its program does not run. Blocks until everything is built. After an error
 * no process, mount or namespace of it is left. The caller releases *ret with zl_container_done. */
int zl_container_create(const struct zl_container_spec *spec, struct zl_container *ret,
                        struct zl_error *err);

/* The first part of zl_container_create: namespaces, file systems and the process in them, which
 * then waits. Not for containers with hooks, a gate, or a user namespace of their own
 * (ZL_E_UNSUPPORTED). */
int zl_container_prepare(const struct zl_container_spec *spec, struct zl_container *ret,
                         struct zl_error *err);
/* The rest. spec->config has been amended with `amendment` (zl_engine_config_amend) since it was
 * prepared, nothing else of *spec has changed; the text says the same to the child. Without
 * zlayer.openStdin the stream given for it is not used. After an error the caller releases what
 * there is. */
int zl_container_finish(const struct zl_container_spec *spec, const char *amendment,
                        struct zl_container *container, struct zl_error *err);

/* Executes the program and blocks until that has succeeded. ZL_E_NO_COMMAND,
 * ZL_E_NOT_EXECUTABLE: it could not be executed; the container has ended then. Call it once. */
int zl_container_start(struct zl_container *container, struct zl_error *err);

/* Closes what is held and leaves the process alone; for one that is_free. */
void zl_container_leave(struct zl_container *container);

/* Closes what is held; a process that still runs is killed and reaped. */
void zl_container_done(struct zl_container *container);

#endif
