/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <string.h>

#include "base/json_plain.h"
#include "base/json_text.h"
#include "base/limits.h"
#include "base/strv.h"

/* jansson's own depth limit is 2048 and compiled in; ours is checked on the text, outside strings.
 */
static bool too_deep(const char *text, size_t len)
{
  size_t depth = 0;
  bool quoted = false;

  for (size_t i = 0; i < len; i++) {
    char c = text[i];

    if (quoted) {
      if (c == '\\')
        i++;
      else if (c == '"')
        quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if ((c == '{' || c == '[') && ++depth > ZL_MAX_JSON_DEPTH) {
      return true;
    } else if ((c == '}' || c == ']') && depth > 0) {
      depth--;
    }
  }
  return false;
}

int zl_json_parse(const char *text, size_t len, const char *what, json_t **ret,
                  struct zl_error *err)
{
  return zl_json_parse_upto(text, len, ZL_MAX_JSON, what, ret, err);
}

int zl_json_parse_upto(const char *text, size_t len, size_t max, const char *what, json_t **ret,
                       struct zl_error *err)
{
  json_error_t why;
  json_t *json;

  if (len > max)
    return zl_fail(err, ZL_E_LIMIT, 0, "%s: %zu bytes of JSON, the limit is %zu", what, len, max);
  json = zl__json_plain(text, len);
  if (json != NULL) {
    *ret = json;
    return 0;
  }
  if (too_deep(text, len))
    return zl_fail(err, ZL_E_LIMIT, 0, "%s: JSON nested deeper than %d levels", what,
                   ZL_MAX_JSON_DEPTH);
  json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
  if (json == NULL)
    return zl_fail(err, ZL_E_INVALID, 0, "%s: line %d column %d: %s", what, why.line, why.column,
                   why.text);
  *ret = json;
  return 0;
}

int zl_json_render(const json_t *json, char **ret, struct zl_error *err)
{
  char *text = zl__json_text(json);

  if (text == NULL)
    text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
  if (text == NULL)
    return zl_fail_nomem(err, "rendering JSON");
  *ret = text;
  return 0;
}

static json_t *member(const json_t *object, const char *key)
{
  json_t *value = object != NULL ? json_object_get(object, key) : NULL;

  return value == NULL || json_is_null(value) ? NULL : value;
}

static int wrong_type(const char *path, const char *key, const char *expected, struct zl_error *err)
{
  return zl_fail(err, ZL_E_INVALID, 0, "%s%s%s: expected %s", path, *path != '\0' ? "." : "", key,
                 expected);
}

int zl_json_get_string(const json_t *object, const char *path, const char *key, const char **ret,
                       struct zl_error *err)
{
  json_t *value = member(object, key);

  if (value != NULL && !json_is_string(value))
    return wrong_type(path, key, "a string", err);
  *ret = value != NULL ? json_string_value(value) : NULL;
  return 0;
}

int zl_json_get_bool(const json_t *object, const char *path, const char *key, bool fallback,
                     bool *ret, struct zl_error *err)
{
  json_t *value = member(object, key);

  if (value != NULL && !json_is_boolean(value))
    return wrong_type(path, key, "true or false", err);
  *ret = value != NULL ? json_is_true(value) : fallback;
  return 0;
}

int zl_json_get_int(const json_t *object, const char *path, const char *key, int64_t min,
                    int64_t max, int64_t fallback, int64_t *ret, struct zl_error *err)
{
  json_t *value = member(object, key);
  json_int_t number;

  if (value == NULL) {
    *ret = fallback;
    return 0;
  }
  if (!json_is_integer(value))
    return wrong_type(path, key, "an integer", err);
  number = json_integer_value(value);
  if (number < min || number > max)
    return zl_fail(err, ZL_E_INVALID, 0, "%s%s%s: %lld is not within %lld..%lld", path,
                   *path != '\0' ? "." : "", key, (long long)number, (long long)min,
                   (long long)max);
  *ret = number;
  return 0;
}

int zl_json_get_object(const json_t *object, const char *path, const char *key, json_t **ret,
                       struct zl_error *err)
{
  json_t *value = member(object, key);

  if (value != NULL && !json_is_object(value))
    return wrong_type(path, key, "an object", err);
  *ret = value;
  return 0;
}

int zl_json_get_array(const json_t *object, const char *path, const char *key, size_t max,
                      json_t **ret, struct zl_error *err)
{
  json_t *value = member(object, key);

  if (value != NULL && !json_is_array(value))
    return wrong_type(path, key, "an array", err);
  if (value != NULL && json_array_size(value) > max)
    return zl_fail(err, ZL_E_LIMIT, 0, "%s%s%s: %zu entries, the limit is %zu", path,
                   *path != '\0' ? "." : "", key, json_array_size(value), max);
  *ret = value;
  return 0;
}

int zl_json_get_strv(const json_t *object, const char *path, const char *key, size_t max,
                     char ***ret, struct zl_error *err)
{
  zl_autostrv list = NULL;
  json_t *array;
  int r = zl_json_get_array(object, path, key, max, &array, err);

  if (r < 0)
    return r;
  for (size_t i = 0; array != NULL && i < json_array_size(array); i++) {
    const json_t *item = json_array_get(array, i);

    if (!json_is_string(item))
      return wrong_type(path, key, "an array of strings", err);
    r = zl_strv_push(&list, json_string_value(item), err);
    if (r < 0)
      return r;
  }
  *ret = zl_steal_ptr(&list);
  return 0;
}

json_t *zl_json_from_strv(const char *const *v)
{
  zl_autojson *array = json_array();

  if (array == NULL)
    return NULL;
  for (size_t i = 0; v != NULL && v[i] != NULL; i++)
    if (json_array_append_new(array, json_string(v[i])) < 0)
      return NULL;
  return zl_steal_ptr(&array);
}
