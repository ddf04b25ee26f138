/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_RUNTIME_HELPERS_H
#define ZL_RUNTIME_HELPERS_H

#include <zlayer/error.h>

/* Where the helper programs are when nobody says: beside this program, else where they are
 * installed. The caller frees *ret. */
int zl_helpers_find(char **ret, struct zl_error *err);

#endif
