/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_RUNTIME_HELPERS_H
#define ZL_RUNTIME_HELPERS_H

#include <zlayer/error.h>

/* Where the helper programs are when nobody says: beside this program, else where they are
 * installed. The caller frees *ret. */
int zl_helpers_find(char **ret, struct zl_error *err);

/* Of the system (helpers_linux.c, helpers_windows.c): the name of the shim's file; the directory of
 * the running program, or NULL; the one of an installation. The caller frees both. */
const char *zl_helpers_shim(void);
char *zl_helpers_beside(void);
char *zl_helpers_installed(void);

#endif
