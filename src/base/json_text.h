/* SPDX-License-Identifier: Apache-2.0
 *
 * The JSON that programs write to each other, written without jansson's own writer, which copies
 * the growing text at each doubling from 16 bytes on and enters each object in a table. What else
 * JSON can be is left to jansson.
 */
#ifndef ZL_BASE_JSON_TEXT_H
#define ZL_BASE_JSON_TEXT_H

#include <jansson.h>

/* A value as json_dumps gives it with JSON_COMPACT and JSON_ENCODE_ANY, if its strings are ASCII
 * without control characters that need \u, it has no fractions, and at most ZL_MAX_JSON_DEPTH
 * levels. NULL: it is not one of these, or there is no memory. The caller frees it. */
char *zl__json_text(const json_t *json);

#endif
