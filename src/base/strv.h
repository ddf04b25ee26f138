/* SPDX-License-Identifier: Apache-2.0
 *
 * Small text helpers: NULL-terminated string vectors and strict number parsing.
 */
#ifndef ZL_BASE_STRV_H
#define ZL_BASE_STRV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/cleanup.h"

/* A vector is a malloc'd array of malloc'd strings ended by NULL; NULL is the empty vector. */
size_t zl_strv_len(const char *const *v);
/* Appends a copy. ZL_E_LIMIT past ZL_MAX_LIST. */
int zl_strv_push(char ***v, const char *text, struct zl_error *err);
int zl_strv_copy(char ***ret, const char *const *v, struct zl_error *err);
bool zl_strv_contains(char *const *v, const char *text);
void zl_strv_free(char **v);
ZL_DEFINE_CLEANUP(char *, zl_strv_free)
#define zl_autostrv ZL_CLEANUP(zl_strv_freep) char **

/* The whole of `text` as a decimal number <= max: no sign, no blanks, no overflow. */
bool zl_parse_u64(const char *text, uint64_t max, uint64_t *ret);

static inline bool zl_has_prefix(const char *text, const char *prefix)
{
  while (*prefix != '\0')
    if (*text++ != *prefix++)
      return false;
  return true;
}

/* asprintf that returns NULL when out of memory. */
char *zl_asprintf(const char *fmt, ...) ZL_PRINTF(1, 2);

#endif
