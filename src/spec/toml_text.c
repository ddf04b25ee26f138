/* SPDX-License-Identifier: Apache-2.0
 *
 * The characters of TOML 1.0 and what is made of them alone: keys, strings, numbers.
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "spec/toml_private.h"

/* ---- Characters ------------------------------------------------------------------------------ */

struct zl_mark zl_toml_here(const struct zl_toml *t)
{
  return (struct zl_mark){ t->line, (unsigned)(t->pos - t->line_start) + 1 };
}

bool zl_toml_fail(struct zl_toml *t, struct zl_mark mark, const char *fmt, ...)
{
  static const struct zl_at file = { 0 };
  char message[256];
  va_list ap;

  if (t->failed)
    return false;
  t->failed = true;
  va_start(ap, fmt);
  (void)vsnprintf(message, sizeof(message), fmt, ap);
  va_end(ap);
  zl_report_mark(t->ctx, &file, mark, ZL_E_INVALID, "%s", message);
  return false;
}

bool zl_toml_no_memory(struct zl_toml *t)
{
  t->ctx->no_memory = true;
  t->failed = true;
  return false;
}

/* '\0' at the end; the text itself holds none. */
char zl_toml_peek(const struct zl_toml *t)
{
  return t->pos < t->len ? t->text[t->pos] : '\0';
}

bool zl_toml_starts(const struct zl_toml *t, const char *what)
{
  const size_t n = strlen(what);

  return t->len - t->pos >= n && memcmp(t->text + t->pos, what, n) == 0;
}

void zl_toml_skip_blanks(struct zl_toml *t)
{
  while (zl_toml_peek(t) == ' ' || zl_toml_peek(t) == '\t')
    t->pos++;
}

static bool take_newline(struct zl_toml *t)
{
  if (zl_toml_starts(t, "\r\n"))
    t->pos += 2;
  else if (zl_toml_peek(t) == '\n')
    t->pos++;
  else
    return false;
  t->line++;
  t->line_start = t->pos;
  return true;
}

static bool is_control(char c)
{
  return ((unsigned char)c < ' ' && c != '\t') || c == 0x7f;
}

static bool skip_comment(struct zl_toml *t)
{
  if (zl_toml_peek(t) != '#')
    return true;
  while (t->pos < t->len && zl_toml_peek(t) != '\n' && !zl_toml_starts(t, "\r\n")) {
    if (is_control(zl_toml_peek(t)))
      return zl_toml_fail(t, zl_toml_here(t), "a control character in a comment");
    t->pos++;
  }
  return true;
}

/* Blanks, comments and line ends, as between the elements of an array. */
bool zl_toml_skip_space(struct zl_toml *t)
{
  do {
    zl_toml_skip_blanks(t);
    if (!skip_comment(t))
      return false;
  } while (take_newline(t));
  return true;
}

bool zl_toml_end_line(struct zl_toml *t)
{
  zl_toml_skip_blanks(t);
  if (!skip_comment(t))
    return false;
  if (t->pos == t->len || take_newline(t))
    return true;
  return zl_toml_fail(t, zl_toml_here(t), "expected the end of the line");
}

/* One sequence of UTF-8 by RFC 3629: its length, 0 when it is none. */
static size_t utf8_length(const unsigned char *p, size_t left)
{
  const size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

  if (n == 0 || n > left || p[0] > 0xf4)
    return 0;
  for (size_t i = 1; i < n; i++)
    if ((p[i] & 0xc0) != 0x80)
      return 0;
  if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
      (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
    return 0;
  return n;
}

bool zl_toml_check_encoding(struct zl_toml *t)
{
  struct zl_mark mark = { 1, 1 };

  for (size_t at = 0; at < t->len;) {
    const size_t n = utf8_length((const unsigned char *)t->text + at, t->len - at);

    if (n == 0)
      return zl_toml_fail(t, mark, "not UTF-8");
    if (t->text[at] == '\0')
      return zl_toml_fail(t, mark, "a NUL character");
    mark = t->text[at] == '\n' ? (struct zl_mark){ mark.line + 1, 1 }
                               : (struct zl_mark){ mark.line, mark.column + (unsigned)n };
    at += n;
  }
  return true;
}

/* ---- Values ---------------------------------------------------------------------------------- */

struct zl_toml_value *zl_toml_new_value(struct zl_toml *t, enum zl_node_kind kind,
                                        struct zl_mark mark, enum zl_toml_origin origin)
{
  struct zl_toml_value *value = zl_tree_alloc(t->tree, sizeof(*value));

  if (value == NULL) {
    (void)zl_toml_no_memory(t);
    return NULL;
  }
  *value = (struct zl_toml_value){ .node = { .kind = kind, .mark = mark, .flow = true },
                                   .origin = origin };
  if (++t->values <= ZL_MAX_TOML_VALUES)
    return value;
  (void)zl_toml_fail(t, mark, "more than %d values", ZL_MAX_TOML_VALUES);
  return NULL;
}

/* A copy of what was gathered. */
static const char *keep_text(struct zl_toml *t)
{
  char *copy = zl_tree_alloc(t->tree, t->scratch.len + 1);

  if (copy == NULL) {
    (void)zl_toml_no_memory(t);
    return NULL;
  }
  if (t->scratch.len > 0)
    memcpy(copy, t->scratch.data, t->scratch.len);
  copy[t->scratch.len] = '\0';
  return copy;
}

static bool gather(struct zl_toml *t, const void *data, size_t len)
{
  return zl_buf_append(&t->scratch, data, len, NULL) == 0 || zl_toml_no_memory(t);
}

/* ---- Strings --------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static size_t utf8_encode(uint32_t code, char ret[4])
{
  if (code < 0x80) {
    ret[0] = (char)code;
    return 1;
  }
  if (code < 0x800) {
    ret[0] = (char)(0xc0 | code >> 6);
    ret[1] = (char)(0x80 | (code & 0x3f));
    return 2;
  }
  if (code < 0x10000) {
    ret[0] = (char)(0xe0 | code >> 12);
    ret[1] = (char)(0x80 | (code >> 6 & 0x3f));
    ret[2] = (char)(0x80 | (code & 0x3f));
    return 3;
  }
  ret[0] = (char)(0xf0 | code >> 18);
  ret[1] = (char)(0x80 | (code >> 12 & 0x3f));
  ret[2] = (char)(0x80 | (code >> 6 & 0x3f));
  ret[3] = (char)(0x80 | (code & 0x3f));
  return 4;
}

/* \uXXXX and \UXXXXXXXX, after the letter. */
static bool read_code(struct zl_toml *t, unsigned digits, struct zl_mark mark)
{
  uint32_t code = 0;
  char text[4];

  for (unsigned i = 0; i < digits; i++) {
    const int digit = hex_digit(zl_toml_peek(t));

    if (digit < 0)
      return zl_toml_fail(t, mark, "an escape of %u hexadecimal digits is cut short", digits);
    code = code << 4 | (uint32_t)digit;
    t->pos++;
  }
  if (code == 0)
    return zl_toml_fail(t, mark, "text contains a NUL character");
  if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
    return zl_toml_fail(t, mark, "an escape names no character");
  return gather(t, text, utf8_encode(code, text));
}

static bool read_escape(struct zl_toml *t, bool lines)
{
  static const char names[] = "btnfr\"\\", values[] = "\b\t\n\f\r\"\\";
  const struct zl_mark mark = zl_toml_here(t);
  const char *found;
  char c;

  t->pos++;
  c = zl_toml_peek(t);
  found = c != '\0' ? strchr(names, c) : NULL;
  if (found != NULL) {
    t->pos++;
    return gather(t, &values[found - names], 1);
  }
  if (c == 'u' || c == 'U') {
    t->pos++;
    return read_code(t, c == 'u' ? 4 : 8, mark);
  }
  /* At the end of a line it joins it with the next text. */
  if (lines) {
    zl_toml_skip_blanks(t);
    if (take_newline(t)) {
      do
        zl_toml_skip_blanks(t);
      while (take_newline(t));
      return true;
    }
  }
  return zl_toml_fail(t, mark, "unknown escape in a string");
}

/* After the opening quote of a string of one line. */
static bool read_line_string(struct zl_toml *t, char quote)
{
  const struct zl_mark mark = zl_toml_here(t);

  for (;;) {
    const char c = zl_toml_peek(t);

    if (t->pos == t->len || c == '\n' || c == '\r')
      return zl_toml_fail(t, mark, "a string does not end on its line");
    if (is_control(c))
      return zl_toml_fail(t, zl_toml_here(t), "a control character in a string");
    if (c == quote) {
      t->pos++;
      return true;
    }
    if (c == '\\' && quote == '"') {
      if (!read_escape(t, false))
        return false;
      continue;
    }
    if (!gather(t, &c, 1))
      return false;
    t->pos++;
  }
}

/* Up to two quotes may stand in front of the closing three. */
static bool close_lines_string(struct zl_toml *t, char quote)
{
  size_t n = 0;

  while (n < 5 && t->pos + n < t->len && t->text[t->pos + n] == quote)
    n++;
  t->pos += n;
  return gather(t, quote == '"' ? "\"\"" : "''", n - 3);
}

static bool read_lines_string(struct zl_toml *t, char quote)
{
  const char end[] = { quote, quote, quote, '\0' };
  const struct zl_mark mark = zl_toml_here(t);

  (void)take_newline(t); /* one right after the opening is not part of the text */
  while (t->pos < t->len) {
    const size_t from = t->pos;

    if (zl_toml_starts(t, end))
      return close_lines_string(t, quote);
    if (take_newline(t)) {
      if (!gather(t, "\n", 1))
        return false;
      continue;
    }
    if (is_control(t->text[from]))
      return zl_toml_fail(t, zl_toml_here(t), "a control character in a string");
    if (t->text[from] == '\\' && quote == '"') {
      if (!read_escape(t, true))
        return false;
      continue;
    }
    if (!gather(t, t->text + from, 1))
      return false;
    t->pos++;
  }
  return zl_toml_fail(t, mark, "a string does not end");
}

/* ---- Keys ------------------------------------------------------------------------------------ */

static bool is_bare(char c)
{
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

const char *zl_toml_read_key(struct zl_toml *t)
{
  const char quote = zl_toml_peek(t);

  zl_buf_clear(&t->scratch);
  if (quote == '"' || quote == '\'') {
    t->pos++;
    return read_line_string(t, quote) ? keep_text(t) : NULL;
  }
  if (!is_bare(quote)) {
    (void)zl_toml_fail(t, zl_toml_here(t), "expected a key");
    return NULL;
  }
  while (is_bare(zl_toml_peek(t))) {
    if (!gather(t, t->text + t->pos, 1))
      return NULL;
    t->pos++;
  }
  return keep_text(t);
}

/* ---- Values in a line ------------------------------------------------------------------------ */

struct zl_toml_value *zl_toml_read_string(struct zl_toml *t)
{
  const char quote = zl_toml_peek(t);
  const char three[] = { quote, quote, quote, '\0' };
  struct zl_toml_value *value =
      zl_toml_new_value(t, ZL_NODE_SCALAR, zl_toml_here(t), ZL_TOML_IN_LINE);
  bool good;

  if (value == NULL)
    return NULL;
  zl_buf_clear(&t->scratch);
  if (zl_toml_starts(t, three)) {
    t->pos += 3;
    good = read_lines_string(t, quote);
  } else {
    t->pos++;
    good = read_line_string(t, quote);
  }
  value->node.text = good ? keep_text(t) : NULL;
  return value->node.text != NULL ? value : NULL;
}

/* Digits of a base with single underscores between them, gathered without these. */
static bool take_digits(struct zl_toml *t, const char *digits)
{
  bool digit = false;

  for (;; t->pos++) {
    const char c = zl_toml_peek(t);

    if (c == '_') {
      if (!digit)
        return false;
      digit = false;
    } else if (c != '\0' && strchr(digits, c) != NULL) {
      digit = true;
      if (!gather(t, &c, 1))
        return false;
    } else {
      return digit;
    }
  }
}

/* An unsigned text of another base as a decimal one. */
static bool to_decimal(struct zl_toml *t, unsigned base)
{
  uint64_t value = 0;

  for (size_t i = 0; i < t->scratch.len; i++)
    if (__builtin_mul_overflow(value, (uint64_t)base, &value) ||
        __builtin_add_overflow(value, (uint64_t)hex_digit(t->scratch.data[i]), &value))
      return false;
  zl_buf_clear(&t->scratch);
  return value <= INT64_MAX &&
         zl_buf_printf(&t->scratch, NULL, "%llu", (unsigned long long)value) == 0;
}

static bool take_based(struct zl_toml *t)
{
  static const struct {
    const char *prefix, *digits;
    unsigned base;
  } bases[] = { { "0x", "0123456789abcdefABCDEF", 16 },
                { "0o", "01234567", 8 },
                { "0b", "01", 2 } };

  for (size_t i = 0; i < ZL_COUNT(bases); i++)
    if (zl_toml_starts(t, bases[i].prefix)) {
      t->pos += 2;
      return take_digits(t, bases[i].digits) && to_decimal(t, bases[i].base);
    }
  return false;
}

static bool take_fraction(struct zl_toml *t)
{
  static const char decimal[] = "0123456789";

  if (zl_toml_peek(t) == '.') {
    t->pos++;
    if (!gather(t, ".", 1) || !take_digits(t, decimal))
      return false;
  }
  if (zl_toml_peek(t) == 'e' || zl_toml_peek(t) == 'E') {
    t->pos++;
    if (!gather(t, "e", 1))
      return false;
    if (zl_toml_peek(t) == '+' || zl_toml_peek(t) == '-') {
      if (!gather(t, t->text + t->pos, 1))
        return false;
      t->pos++;
    }
    return take_digits(t, decimal);
  }
  return true;
}

static bool take_number(struct zl_toml *t)
{
  size_t from;

  if (zl_toml_starts(t, "0x") || zl_toml_starts(t, "0o") || zl_toml_starts(t, "0b"))
    return take_based(t);
  if (zl_toml_peek(t) == '-' && !gather(t, "-", 1))
    return false;
  if (zl_toml_peek(t) == '+' || zl_toml_peek(t) == '-')
    t->pos++;
  if (zl_toml_starts(t, "inf") || zl_toml_starts(t, "nan")) {
    if (!gather(t, zl_toml_starts(t, "inf") ? ".inf" : ".nan", 4))
      return false;
    t->pos += 3;
    return true;
  }
  from = t->pos;
  if (!take_digits(t, "0123456789") || (t->text[from] == '0' && t->pos - from > 1))
    return false;
  return take_fraction(t);
}

static bool looks_like_time(const struct zl_toml *t)
{
  const char *p = t->text + t->pos;
  size_t n = 0;

  while (n < 4 && t->pos + n < t->len && p[n] >= '0' && p[n] <= '9')
    n++;
  return t->pos + n < t->len && ((n == 4 && p[n] == '-') || (n == 2 && p[n] == ':'));
}

static bool ends_value(char c)
{
  return c == '\0' || strchr(" \t\r\n#,]}", c) != NULL;
}

struct zl_toml_value *zl_toml_read_plain(struct zl_toml *t)
{
  const struct zl_mark mark = zl_toml_here(t);
  struct zl_toml_value *value = zl_toml_new_value(t, ZL_NODE_SCALAR, mark, ZL_TOML_IN_LINE);
  bool good;

  if (value == NULL)
    return NULL;
  zl_buf_clear(&t->scratch);
  if (looks_like_time(t)) {
    (void)zl_toml_fail(t, mark, "dates and times are not supported");
    return NULL;
  }
  if (zl_toml_starts(t, "true") || zl_toml_starts(t, "false")) {
    const size_t n = zl_toml_peek(t) == 't' ? 4 : 5;

    good = gather(t, t->text + t->pos, n);
    t->pos += n;
  } else {
    good = take_number(t);
  }
  if (!good || !ends_value(zl_toml_peek(t))) {
    (void)zl_toml_fail(t, mark,
                       "expected a value: a string in quotes, a number, true, false, [ or {");
    return NULL;
  }
  value->node.plain = true;
  value->node.text = keep_text(t);
  return value->node.text != NULL ? value : NULL;
}
