/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_BASE_RAND_H
#define ZL_BASE_RAND_H

#include <stddef.h>
#include <zlayer/error.h>

/* Fills text[0 .. size-2] with lower-case hex digits from the kernel's generator and terminates it.
 * size is 2..65. */
int zl_rand_hex(char *text, size_t size, struct zl_error *err);

#endif
