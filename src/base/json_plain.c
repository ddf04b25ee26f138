/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_plain.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"

struct reader {
  const char *at, *end;
  unsigned depth;
};

static json_t *read_value(struct reader *rd);

static char skip_space(struct reader *rd)
{
  while (rd->at < rd->end &&
         (*rd->at == ' ' || *rd->at == '\n' || *rd->at == '\t' || *rd->at == '\r'))
    rd->at++;
  return rd->at < rd->end ? *rd->at : '\0';
}

/* ---- Strings ------------------------------------------------------------------------------- */

static bool is_ordinary(char c)
{
  return (signed char)c >= ' ' && c != '"' && c != '\\'; /* what is no ASCII is negative */
}

static char unescaped(char c)
{
  static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
  const char *found = c != '\0' ? strchr(from, c) : NULL;

  return found != NULL ? to[found - from] : '\0';
}

/* Behind the opening quote; leaves the reader behind the closing one. `*ret_escapes`: how many. */
static bool find_end(struct reader *rd, const char **ret_end, size_t *ret_escapes)
{
  const char *at = rd->at, *end = rd->end;

  *ret_escapes = 0;
  for (;;) {
    while (at < end && is_ordinary(*at))
      at++;
    if (at == end)
      return false;
    if (*at == '"')
      break;
    if (*at != '\\' || end - at < 2 || unescaped(at[1]) == '\0')
      return false;
    ++*ret_escapes;
    at += 2;
  }
  *ret_end = at;
  rd->at = at + 1;
  return true;
}

static json_t *unescape(const char *text, const char *end, size_t escapes)
{
  size_t len = (size_t)(end - text) - escapes, n = 0;
  zl_autofree char *out = malloc(len + 1);

  if (out == NULL)
    return NULL;
  for (; text < end; text++)
    out[n++] = *text == '\\' ? unescaped(*++text) : *text;
  return json_stringn_nocheck(out, n);
}

static json_t *read_string(struct reader *rd)
{
  const char *begin = ++rd->at, *end;
  size_t escapes;

  if (!find_end(rd, &end, &escapes))
    return NULL;
  return escapes == 0 ? json_stringn_nocheck(begin, (size_t)(end - begin))
                      : unescape(begin, end, escapes);
}

/* ---- Other values -------------------------------------------------------------------------- */

/* A fraction or an exponent is found by who expects a comma behind the number. */
static json_t *read_integer(struct reader *rd)
{
  bool negative = *rd->at == '-';
  const char *begin = negative ? ++rd->at : rd->at;
  int64_t value = 0;

  for (; rd->at < rd->end && *rd->at >= '0' && *rd->at <= '9'; rd->at++)
    if (__builtin_mul_overflow(value, 10, &value) ||
        __builtin_add_overflow(value, *rd->at - '0', &value))
      return NULL;
  if (rd->at == begin || (*begin == '0' && rd->at - begin > 1))
    return NULL;
  return json_integer(negative ? -value : value);
}

static json_t *read_word(struct reader *rd, const char *word, size_t len, json_t *value)
{
  if ((size_t)(rd->end - rd->at) < len || memcmp(rd->at, word, len) != 0)
    return NULL;
  rd->at += len;
  return value; /* one of those that are never freed */
}

/* ---- Objects and arrays -------------------------------------------------------------------- */

/* 1: one more element follows; 0: the end; -1: neither. */
static int next_element(struct reader *rd, char close)
{
  char c = skip_space(rd);

  if (c != ',' && c != close)
    return -1;
  rd->at++;
  return c == ',';
}

static bool is_empty(struct reader *rd, char close)
{
  rd->at++;
  if (skip_space(rd) != close)
    return false;
  rd->at++;
  return true;
}

static int read_member(struct reader *rd, json_t *object)
{
  size_t escapes, had = json_object_size(object);
  const char *key, *end;
  json_t *value;

  if (skip_space(rd) != '"')
    return -1;
  key = ++rd->at;
  if (!find_end(rd, &end, &escapes) || escapes > 0 || skip_space(rd) != ':')
    return -1;
  rd->at++;
  value = read_value(rd);
  if (value == NULL || json_object_setn_new_nocheck(object, key, (size_t)(end - key), value) < 0 ||
      json_object_size(object) == had) /* it was there */
    return -1;
  return next_element(rd, '}');
}

static int read_element(struct reader *rd, json_t *array)
{
  json_t *value = read_value(rd);

  return value == NULL || json_array_append_new(array, value) < 0 ? -1 : next_element(rd, ']');
}

static json_t *read_many(struct reader *rd, char close, json_t *all,
                         int (*read_one)(struct reader *rd, json_t *all))
{
  int r = 1;

  if (all == NULL || ++rd->depth > ZL_MAX_JSON_DEPTH)
    r = -1;
  else if (is_empty(rd, close))
    r = 0;
  while (r > 0)
    r = read_one(rd, all);
  rd->depth--;
  if (r == 0)
    return all;
  json_decref(all);
  return NULL;
}

static json_t *read_value(struct reader *rd)
{
  switch (skip_space(rd)) {
  case '{':
    return read_many(rd, '}', json_object(), read_member);
  case '[':
    return read_many(rd, ']', json_array(), read_element);
  case '"':
    return read_string(rd);
  case 't':
    return read_word(rd, "true", 4, json_true());
  case 'f':
    return read_word(rd, "false", 5, json_false());
  case 'n':
    return read_word(rd, "null", 4, json_null());
  default:
    return rd->at < rd->end ? read_integer(rd) : NULL;
  }
}

json_t *zl__json_plain(const char *text, size_t len)
{
  struct reader rd = { .at = text, .end = text + len };
  char first = skip_space(&rd);
  zl_autojson *json = first == '{' || first == '[' ? read_value(&rd) : NULL;

  (void)skip_space(&rd);
  return rd.at == rd.end ? zl_steal_ptr(&json) : NULL;
}
