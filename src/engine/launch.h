/* SPDX-License-Identifier: Apache-2.0
 *
 * The last stretch of every process of a container, init and exec alike: from a process of ours
 * that is inside the container to the user's program, with no privilege or descriptor left over.
 */
#ifndef ZL_ENGINE_LAUNCH_H
#define ZL_ENGINE_LAUNCH_H

#include <stdbool.h>
#include <zlayer/error.h>

#include "engine/config.h"
#include "engine/listener.h"
#include "engine/seccomp.h"
#include "engine/users.h"

struct zl_launch {
  const struct zl_process *process;       /* borrowed */
  const struct zl_engine_config *config;  /* borrowed: the container's */
  const struct zl_seccomp_filter *filter; /* borrowed; NULL: unconfined */
  const struct zl_listener *listener;     /* borrowed: of the filter; NULL: none */
  int root_fd;                            /* borrowed: "/" of the container */
  bool is_free;                           /* the program may outlive its parent */
  unsigned preserved_fds;                 /* descriptors from 3 on that the program gets */
  int stdio[3]; /* borrowed; -1: the container's null device. With a terminal all three are it */
  bool is_init; /* the first process: startContainer hooks are run */
  const char *state_json; /* borrowed: for them (engine/hooks.h) */

  /* Filled by zl_launch_prepare, released with zl_launch_done. */
  struct zl_user user;
  int cwd_fd;
  char **env;
};

/* Resolves the user in the image, makes the working directory where it is missing, completes the
 * environment (HOME; TERM with a terminal). The fields above the line must be set. */
int zl_launch_prepare(struct zl_launch *launch, struct zl_error *err);
void zl_launch_done(struct zl_launch *launch);

/* Turns the calling process into the program. Returns only on failure: ZL_E_NO_COMMAND (127) or
 * ZL_E_NOT_EXECUTABLE (126) when it was the program's fault; the process must then end. The caller
 * leads its session. Every other descriptor is closed by the exec itself. Signals that
 * the runtime ignores stay ignored: it calls zl_proc_default_signals when it begins, and ignores
 * none. */
int zl_launch_exec(struct zl_launch *launch, struct zl_error *err);

#endif
