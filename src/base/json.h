/* SPDX-License-Identifier: Apache-2.0
 *
 * Strict JSON over jansson: size, depth and duplicate keys are checked before anything is used, and
 * typed getters name the path of what is wrong ("config.Entrypoint: expected an array of strings").
 */
#ifndef ZL_BASE_JSON_H
#define ZL_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/cleanup.h"

static inline void zl_json_decref(json_t **json)
{
  json_decref(*json);
  *json = NULL;
}
#define zl_autojson ZL_CLEANUP(zl_json_decref) json_t

/* Parses one document of at most ZL_MAX_JSON bytes and ZL_MAX_JSON_DEPTH levels; `what` names it in
 * errors. Duplicate keys, NUL in strings and trailing bytes are refused (ZL_E_INVALID). */
int zl_json_parse(const char *text, size_t len, const char *what, json_t **ret,
                  struct zl_error *err);
/* The same with another maximum of bytes. */
int zl_json_parse_upto(const char *text, size_t len, size_t max, const char *what, json_t **ret,
                       struct zl_error *err);
/* Compact text of any value, keys in insertion order; the caller frees it. */
int zl_json_render(const json_t *json, char **ret, struct zl_error *err);

/* Getters: an absent or null member gives the default and success; another type is ZL_E_INVALID
 * naming `path` + key. Strings are borrowed from `object`. `object` may be NULL (all absent). */
int zl_json_get_string(const json_t *object, const char *path, const char *key, const char **ret,
                       struct zl_error *err);
int zl_json_get_bool(const json_t *object, const char *path, const char *key, bool fallback,
                     bool *ret, struct zl_error *err);
int zl_json_get_int(const json_t *object, const char *path, const char *key, int64_t min,
                    int64_t max, int64_t fallback, int64_t *ret, struct zl_error *err);
/* A member that must be an object (or array); NULL when absent. Borrowed. */
int zl_json_get_object(const json_t *object, const char *path, const char *key, json_t **ret,
                       struct zl_error *err);
int zl_json_get_array(const json_t *object, const char *path, const char *key, size_t max,
                      json_t **ret, struct zl_error *err);
/* An array of strings as a new string vector (base/strv.h); NULL when absent or empty. */
int zl_json_get_strv(const json_t *object, const char *path, const char *key, size_t max,
                     char ***ret, struct zl_error *err);

/* Builds: a new array of strings from a vector, NULL when out of memory. */
json_t *zl_json_from_strv(const char *const *v);

#endif
