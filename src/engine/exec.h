/* SPDX-License-Identifier: Apache-2.0
 *
 * One more process in a running container: the same namespaces, cgroup, filter and rules as its
 * first one. Only for single-threaded programs.
 */
#ifndef ZL_ENGINE_EXEC_H
#define ZL_ENGINE_EXEC_H

#include <zlayer/error.h>

#include "engine/container.h"

struct zl_exec_spec {
  const struct zl_container *container;  /* running; borrowed for the call */
  const struct zl_process *process;      /* borrowed; without capabilities: those of `config` */
  const struct zl_engine_config *config; /* the container's */
  int stdio[3];                          /* -1: null device; not used with a terminal */
  int cgroup_fd;                         /* as in zl_container_spec */
  const char *state_json;                /* as there: for who is sent its notify descriptor */
  const char *keyring;                   /* as there: the same name */
  struct zl_container_hooks hooks;       /* `enter` only */
  bool is_free;                          /* as in zl_container_spec, as is the next */
  /* The process may be in the caller's memory until its program executes, which saves copying that.
   * Only where no process of the container can trace others (CAP_SYS_PTRACE). */
  bool may_share_memory;
  unsigned preserved_fds;
};

/* Starts the process and blocks until its program executes. ZL_E_NO_COMMAND and
 * ZL_E_NOT_EXECUTABLE as for start; then no process is left. ret->pidfd is the caller's;
 * *ret_master is the terminal's master or -1. */
int zl_exec_start(const struct zl_exec_spec *spec, struct zl_child *ret, int *ret_master,
                  struct zl_error *err);

#endif
