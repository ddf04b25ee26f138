/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"

enum {
  FIRST = 256 /* most messages fit */
};

static int write_value(struct zl_buf *text, const json_t *json, unsigned depth);

static int put(struct zl_buf *text, const char *bytes, size_t len)
{
  return zl_buf_append(text, bytes, len, NULL);
}

/* '\0': it has no short escape. */
static char escaped(char c)
{
  static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
  const char *found = c != '\0' ? strchr(from, c) : NULL;

  return found != NULL ? to[found - from] : '\0';
}

static bool is_ordinary(char c)
{
  return (signed char)c >= ' ' && c != '"' && c != '\\'; /* what is no ASCII is negative */
}

static int write_string(struct zl_buf *text, const char *string, size_t len)
{
  int r = put(text, "\"", 1);

  for (size_t at = 0, n; r == 0 && at < len; at += n) {
    char escape[2] = { '\\', '\0' };

    for (n = 0; at + n < len && is_ordinary(string[at + n]);)
      n++;
    if (n > 0) {
      r = put(text, string + at, n);
      continue;
    }
    n = 1;
    escape[1] = escaped(string[at]);
    r = escape[1] != '\0' ? put(text, escape, 2) : -1;
  }
  return r == 0 ? put(text, "\"", 1) : r;
}

static int write_object(struct zl_buf *text, const json_t *json, unsigned depth)
{
  json_t *object = (json_t *)(uintptr_t)json; /* its iterators only read it */
  const char *before = "{";
  int r = 0;

  for (void *it = json_object_iter(object); r == 0 && it != NULL;
       it = json_object_iter_next(object, it)) {
    r = put(text, before, 1);
    before = ",";
    if (r == 0)
      r = write_string(text, json_object_iter_key(it), json_object_iter_key_len(it));
    if (r == 0)
      r = put(text, ":", 1);
    if (r == 0)
      r = write_value(text, json_object_iter_value(it), depth);
  }
  if (r == 0)
    r = *before == '{' ? put(text, "{}", 2) : put(text, "}", 1);
  return r;
}

static int write_array(struct zl_buf *text, const json_t *json, unsigned depth)
{
  size_t count = json_array_size(json);
  int r = put(text, "[", 1);

  for (size_t i = 0; r == 0 && i < count; i++) {
    if (i > 0)
      r = put(text, ",", 1);
    if (r == 0)
      r = write_value(text, json_array_get(json, i), depth);
  }
  return r == 0 ? put(text, "]", 1) : r;
}

static int write_integer(struct zl_buf *text, json_int_t value)
{
  char digits[24];
  int n = snprintf(digits, sizeof(digits), "%lld", (long long)value);

  return put(text, digits, (size_t)n);
}

static int write_value(struct zl_buf *text, const json_t *json, unsigned depth)
{
  bool nests = json_is_object(json) || json_is_array(json);

  if (json == NULL || (nests && depth == ZL_MAX_JSON_DEPTH))
    return -1;
  switch (json_typeof(json)) {
  case JSON_OBJECT:
    return write_object(text, json, depth + 1);
  case JSON_ARRAY:
    return write_array(text, json, depth + 1);
  case JSON_STRING:
    return write_string(text, json_string_value(json), json_string_length(json));
  case JSON_INTEGER:
    return write_integer(text, json_integer_value(json));
  case JSON_TRUE:
    return put(text, "true", 4);
  case JSON_FALSE:
    return put(text, "false", 5);
  case JSON_NULL:
    return put(text, "null", 4);
  default:
    return -1;
  }
}

char *zl__json_text(const json_t *json)
{
  zl_autobuf text = ZL_BUF_INIT(SIZE_MAX / 4);

  if (zl_buf_reserve(&text, FIRST, NULL) < 0 || write_value(&text, json, 0) < 0)
    return NULL;
  return zl_buf_steal(&text);
}
