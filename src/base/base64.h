/* SPDX-License-Identifier: Apache-2.0
 *
 * RFC 4648 base64 with "+/" and padding, as HTTP Basic, docker's config.json and the
 * guest bridge use it.
 */
#ifndef ZL_BASE_BASE64_H
#define ZL_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

/* A new string, NULL when out of memory. */
char *zl_base64_encode(const void *data, size_t len);
/* Decodes the whole of `text`; padding may be missing. The result is a new buffer of *ret_len bytes
 * followed by a NUL. NULL: not base64, or out of memory. */
char *zl_base64_decode(const char *text, size_t *ret_len);

#endif
