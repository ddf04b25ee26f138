/* SPDX-License-Identifier: Apache-2.0
 *
 * Environment variables of the command line.
 */
#ifndef ZL_CLI_ENV_H
#define ZL_CLI_ENV_H

#include "cli/cli.h"

/* "KEY=VALUE", or "KEY" for the caller's own value (nothing when it has none). Calls `set` with
 * both parts. ZL_E_INVALID: no key. */
typedef int (*zl_env_fn)(void *payload, const char *key, const char *value, struct zl_error *err);
int zl_env_parse(const char *text, zl_env_fn set, void *payload, struct zl_error *err);

/* A file of such lines; empty lines and those that begin with # are left out. ZL_E_INVALID names
 * file and line. */
int zl_env_file(const char *path, zl_env_fn set, void *payload, struct zl_error *err);

#endif
