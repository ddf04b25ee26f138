/* SPDX-License-Identifier: Apache-2.0
 *
 * The last step of zl_file_replace, which each system does in its way. For base/fd.c only.
 */
#ifndef ZL_BASE_PUT_IN_PLACE_H
#define ZL_BASE_PUT_IN_PLACE_H

#include <stdbool.h>

/* Renames `tmp` to `name` in `dirfd`, over what is there: readers see one or the other. 0 or an
 * errno. */
int zl_put_in_place(int dirfd, const char *tmp, const char *name, bool durable);

#endif
