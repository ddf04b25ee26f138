/* SPDX-License-Identifier: Apache-2.0
 *
 * What a scalar is. YAML 1.1 and 1.2 disagree about "yes", "010" and "1:30"; here text that only
 * one of them reads as a number is not a number, and "yes" is never a boolean.
 */
#include <string.h>

#include "base/cleanup.h"
#include "base/strv.h"
#include "spec/node.h"

static bool is_one_of(const char *text, const char *const *words, size_t count)
{
  for (size_t i = 0; i < count; i++)
    if (strcmp(text, words[i]) == 0)
      return true;
  return false;
}

static size_t count_digits(const char *p)
{
  size_t n = 0;

  while (p[n] >= '0' && p[n] <= '9')
    n++;
  return n;
}

/* [-+]?[0-9]+ and the 0o and 0x forms. */
static bool looks_int(const char *p)
{
  size_t n;

  if (p[0] == '0' && (p[1] == 'o' || p[1] == 'x'))
    return p[2] != '\0' &&
           p[2 + strspn(p + 2, p[1] == 'o' ? "01234567" : "0123456789abcdefABCDEF")] == '\0';
  if (*p == '-' || *p == '+')
    p++;
  n = count_digits(p);
  return n > 0 && p[n] == '\0';
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? and the infinities. */
static bool looks_float(const char *p)
{
  static const char *const special[] = { ".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN" };
  size_t whole, fraction = 0;

  if (*p == '-' || *p == '+')
    p++;
  if (is_one_of(p, special, ZL_COUNT(special)))
    return true;
  whole = count_digits(p);
  p += whole;
  if (*p == '.') {
    fraction = count_digits(p + 1);
    p += fraction + 1;
  }
  if (whole + fraction == 0)
    return false;
  if (*p == 'e' || *p == 'E') {
    p++;
    if (*p == '-' || *p == '+')
      p++;
    if (count_digits(p) == 0)
      return false;
    p += count_digits(p);
  }
  return *p == '\0';
}

enum zl_scalar zl_scalar_of_text(const char *text)
{
  static const char *const nulls[] = { "", "~", "null", "Null", "NULL" };
  static const char *const bools[] = { "true", "True", "TRUE", "false", "False", "FALSE" };

  if (is_one_of(text, nulls, ZL_COUNT(nulls)))
    return ZL_SCALAR_NULL;
  if (is_one_of(text, bools, ZL_COUNT(bools)))
    return ZL_SCALAR_BOOL;
  if (looks_int(text))
    return ZL_SCALAR_INT;
  return looks_float(text) ? ZL_SCALAR_FLOAT : ZL_SCALAR_TEXT;
}

enum zl_scalar zl_scalar_of(const struct zl_node *node)
{
  return node->plain && !node->tagged ? zl_scalar_of_text(node->text) : ZL_SCALAR_TEXT;
}

bool zl_node_is_null(const struct zl_node *node)
{
  return node == NULL || (node->kind == ZL_NODE_SCALAR && zl_scalar_of(node) == ZL_SCALAR_NULL);
}

static bool parse_digits(const char *p, unsigned base, uint64_t *ret)
{
  uint64_t value = 0;

  for (; *p != '\0'; p++) {
    unsigned digit = *p <= '9' ? (unsigned)(*p - '0') : ((unsigned)*p | 0x20u) - 'a' + 10u;

    if (__builtin_mul_overflow(value, (uint64_t)base, &value) ||
        __builtin_add_overflow(value, (uint64_t)digit, &value))
      return false;
  }
  *ret = value;
  return true;
}

bool zl_scalar_int(const char *text, bool *ret_negative, uint64_t *ret)
{
  unsigned base = 10;

  if (!looks_int(text))
    return false;
  *ret_negative = *text == '-';
  if (*text == '-' || *text == '+')
    text++;
  if (text[0] == '0' && (text[1] == 'o' || text[1] == 'x')) {
    base = text[1] == 'o' ? 8 : 16;
    text += 2;
  } else if (text[0] == '0' && text[1] != '\0') {
    return false; /* 010 is 8 to YAML 1.1 and 10 to YAML 1.2 */
  }
  return parse_digits(text, base, ret);
}

/* Cuts a long text, never inside a UTF-8 sequence, and marks the cut. */
static void quote_text(const char *label, const char *value, char text[ZL_DESCRIBE_TEXT])
{
  size_t len = strlen(value), max = 40;

  if (len > max)
    while (max > 0 && ((unsigned char)value[max] & 0xc0) == 0x80)
      max--;
  (void)snprintf(text, ZL_DESCRIBE_TEXT, "%s'%.*s%s'", label, (int)(len > max ? max : len), value,
                 len > max ? "..." : "");
}

const char *zl_node_describe(const struct zl_node *node, char text[ZL_DESCRIBE_TEXT])
{
  if (node->kind != ZL_NODE_SCALAR)
    return node->kind == ZL_NODE_LIST ? "a list" : "a mapping";
  switch (zl_scalar_of(node)) {
  case ZL_SCALAR_NULL:
    return "nothing";
  case ZL_SCALAR_BOOL:
    quote_text("the boolean ", node->text, text);
    return text;
  case ZL_SCALAR_INT:
  case ZL_SCALAR_FLOAT:
    quote_text("the number ", node->text, text);
    return text;
  case ZL_SCALAR_TEXT:
    break;
  }
  quote_text(node->plain ? "the text " : "the quoted text ", node->text, text);
  return text;
}
