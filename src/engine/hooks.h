/* SPDX-License-Identifier: Apache-2.0
 *
 * The hooks of an OCI document: programs that are told the container's state and may change what
 * surrounds it, or the container itself before its program runs.
 */
#ifndef ZL_ENGINE_HOOKS_H
#define ZL_ENGINE_HOOKS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <zlayer/error.h>

#include "engine/config.h"

/* Executes one after the other, in the caller's namespaces, with exactly their arguments and
 * environment, the state on standard input, in a session of its own; blocks until each has ended.
 * One that does not end within its timeout is killed with its process group. The first that fails
 * is an error (ZL_E_TIMEOUT or ZL_E_SYSTEM) with its path, its phase, its status and the beginning
 * of what it wrote to standard error; the rest is not run. Of poststop all are run and a failure is
 * only a warning, as the specification wants. `state` is a JSON document of `len` bytes. */
int zl_hooks_run(enum zl_hook_phase phase, const struct zl_hook_list *hooks, const char *state,
                 size_t len, struct zl_error *err);

/* The same for a phase of `config`, with members "status" and "pid" (0: none) put into a copy of
 * the document `state`. Without hooks of that phase nothing happens, and `state` may be NULL. */
int zl_hooks_run_phase(const struct zl_engine_config *config, enum zl_hook_phase phase,
                       const char *state, const char *status, pid_t pid, struct zl_error *err);

/* Those of the host while the container is made: prestart hooks, which are older than the
 * distinction, are told "created", createRuntime hooks "creating". */
int zl_hooks_run_runtime(const struct zl_engine_config *config, const char *state, pid_t pid,
                         struct zl_error *err);

/* Whether hooks are run between the mounting and the change of root. */
bool zl_hooks_see_mounts(const struct zl_engine_config *config);

#endif
