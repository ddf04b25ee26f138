/* SPDX-License-Identifier: Apache-2.0
 *
 * Executing a program by name with a given environment.
 */
#ifndef ZL_ENGINE_EXECVE_H
#define ZL_ENGINE_EXECVE_H

#include <zlayer/error.h>

/* The value of NAME in an environment, or NULL. */
const char *zl_env_get(char *const *env, const char *name);

/* Executes args[0], searched in the PATH of `env` (a usual one when it has none) unless it holds a
 * slash. Returns only on failure: ZL_E_NO_COMMAND when there is no such program, or its interpreter
 * is missing; ZL_E_NOT_EXECUTABLE when there is one that cannot be executed. */
int zl_execve(char *const *args, char *const *env, struct zl_error *err);

/* Whether zl_execve would find something to execute from the directory `cwd_fd`: 0, or its error.
 */
int zl_execve_check(char *const *args, char *const *env, int cwd_fd, struct zl_error *err);

#endif
