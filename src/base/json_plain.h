/* SPDX-License-Identifier: Apache-2.0
 *
 * The JSON that programs write to each other, read without jansson's lexer, which takes some 160
 * instructions a byte. What else JSON can be is left to jansson, errors too.
 */
#ifndef ZL_BASE_JSON_PLAIN_H
#define ZL_BASE_JSON_PLAIN_H

#include <jansson.h>
#include <stddef.h>

/* One document as json_loadb gives it with JSON_REJECT_DUPLICATES, if its strings are ASCII without
 * \u, its numbers are integers of 64 bits, and it has at most ZL_MAX_JSON_DEPTH levels.
 * NULL: it is not one of these, it is wrong, or there is no memory. */
json_t *zl__json_plain(const char *text, size_t len);

#endif
