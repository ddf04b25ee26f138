/* SPDX-License-Identifier: Apache-2.0
 *
 * The environment of a process on Windows: names are one whatever their case, and an empty value is
 * no value.
 */
#ifndef ZL_RUNTIME_HCS_ENV_H
#define ZL_RUNTIME_HCS_ENV_H

#include <stdbool.h>
#include <zlayer/error.h>

enum {
  ZL_WIN_ENV_MAX = 32767 /* UTF-16 units of one variable, "=" and its NUL among them */
};

/* True for what Windows itself sets and programs cannot do without: SystemRoot, SystemDrive and
 * windir. */
bool zl_win_env_is_system(const char *name);

/* Sets a variable in a vector of "NAME=value": an entry of that name in any case is replaced where
 * it stands, and takes the new spelling; an empty value removes it. ZL_E_INVALID naming `field`: a
 * name that is empty or has "=", or no UTF-8. ZL_E_LIMIT. */
int zl_win_env_set(char ***env, const char *name, const char *value, const char *field,
                   struct zl_error *err);
/* The same of "NAME=value"; what has no name or no "=" is passed over, as other tools do. */
int zl_win_env_set_entry(char ***env, const char *entry, const char *field, struct zl_error *err);

#endif
