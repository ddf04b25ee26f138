/* SPDX-License-Identifier: Apache-2.0
 *
 * Single values: from text into a member, and what a member takes.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/strv.h"
#include "spec/field.h"

/* The kinds that hold an integer or enum, widened; ZL_KIND_INT members are of several sizes. */
int64_t zl_int_get(const struct zl_field *field, const void *object)
{
  const void *slot = zl_slot_const(field, object);
  uint64_t wide = 0;
  unsigned bits = 8u * (unsigned)field->size;

  memcpy(&wide, slot, field->size); /* little endian: the low bytes come first */
  if (field->min < 0 && bits < 64 && (wide >> (bits - 1)) != 0)
    wide |= UINT64_MAX << bits;
  return (int64_t)wide;
}

static int fail_expected(const struct zl_field *field, const char *text, struct zl_error *err)
{
  char expected[ZL_EXPECTED_TEXT];

  return zl_fail(err, ZL_E_INVALID, 0, "expected %s, found '%s'",
                 zl_value_expected(field, expected), text);
}

static int parse_text(const char *text, void *slot, struct zl_error *err)
{
  char *copy = strdup(text);

  if (copy == NULL)
    return zl_fail_nomem(err, "text");
  free(zl_pointer_get(slot));
  zl_pointer_set(slot, copy);
  return 0;
}

static int parse_bool(const struct zl_field *field, const char *text, void *slot,
                      struct zl_error *err)
{
  bool value;

  if (zl_scalar_of_text(text) != ZL_SCALAR_BOOL)
    return fail_expected(field, text, err);
  value = text[0] == 't' || text[0] == 'T';
  memcpy(slot, &value, sizeof(value));
  return 0;
}

static bool in_range(const struct zl_field *field, bool negative, uint64_t magnitude)
{
  if (!negative || magnitude == 0)
    return (int64_t)magnitude < 0 ? magnitude <= field->max
                                  : (int64_t)magnitude >= field->min && magnitude <= field->max;
  return field->min < 0 && magnitude <= (uint64_t)-field->min;
}

static int parse_int(const struct zl_field *field, const char *text, void *slot,
                     struct zl_error *err)
{
  uint64_t magnitude;
  bool negative;

  if (!zl_scalar_int(text, &negative, &magnitude) || !in_range(field, negative, magnitude))
    return fail_expected(field, text, err);
  if (negative)
    magnitude = -magnitude;
  memcpy(slot, &magnitude, field->size); /* little endian, and in range */
  return 0;
}

static int parse_number(const struct zl_field *field, const char *text, void *slot,
                        struct zl_error *err)
{
  enum zl_scalar scalar = zl_scalar_of_text(text);
  double value;
  char *end;

  if (scalar != ZL_SCALAR_INT && scalar != ZL_SCALAR_FLOAT)
    return fail_expected(field, text, err);
  value = strtod(text, &end);
  if (*end != '\0' || !__builtin_isfinite(value))
    return fail_expected(field, text, err);
  memcpy(slot, &value, sizeof(value));
  return 0;
}

static int parse_bytes(const struct zl_field *field, const char *text, void *slot,
                       struct zl_error *err)
{
  uint64_t value = ZL_UNLIMITED;
  int r = 0;

  if ((field->flags & ZL_MINUS_ONE) == 0 || strcmp(text, "-1") != 0)
    r = zl_memory_parse(text, &value, err);
  if (r == 0)
    memcpy(slot, &value, sizeof(value));
  return r;
}

static int parse_duration(const char *text, void *slot, struct zl_error *err)
{
  uint64_t value;
  int r = zl_duration_parse(text, &value, err);

  if (r == 0)
    memcpy(slot, &value, sizeof(value));
  return r;
}

static int parse_enum(const struct zl_field *field, const char *text, void *slot,
                      struct zl_error *err)
{
  const struct zl_option *option = zl_option_find(field->options, text);
  char expected[ZL_EXPECTED_TEXT];
  const char *near;

  if (option != NULL) {
    memcpy(slot, &option->value, field->size);
    return 0;
  }
  near = zl_suggest_option(field->options, text);
  if (near == NULL)
    return fail_expected(field, text, err);
  return zl_fail(err, ZL_E_INVALID, 0, "expected %s, found '%s': did you mean '%s'?",
                 zl_value_expected(field, expected), text, near);
}

static int parse_atom(const struct zl_field *field, const char *text, void *slot,
                      struct zl_error *err)
{
  zl_object_done(field->type, slot);
  return field->type->parse(text, slot, err);
}

int zl_value_parse(const struct zl_field *field, const char *text, void *object,
                   struct zl_error *err)
{
  void *slot = zl_slot(field, object);
  bool has = true;
  int r;

  switch (field->kind) {
  case ZL_KIND_TEXT:
    r = parse_text(text, slot, err);
    break;
  case ZL_KIND_BOOL:
    r = parse_bool(field, text, slot, err);
    break;
  case ZL_KIND_INT:
    r = parse_int(field, text, slot, err);
    break;
  case ZL_KIND_NUMBER:
    r = parse_number(field, text, slot, err);
    break;
  case ZL_KIND_DURATION:
    r = parse_duration(text, slot, err);
    break;
  case ZL_KIND_BYTES:
    r = parse_bytes(field, text, slot, err);
    break;
  case ZL_KIND_ENUM:
    r = parse_enum(field, text, slot, err);
    break;
  case ZL_KIND_ATOM:
    r = parse_atom(field, text, slot, err);
    break;
  default:
    return zl_fail(err, ZL_E_INTERNAL, 0, "field '%s' is not a single value", field->key);
  }
  if (r == 0 && field->has != 0)
    memcpy((char *)object + field->has, &has, sizeof(has));
  return r;
}

static void expect_options(const struct zl_option *options, char text[ZL_EXPECTED_TEXT])
{
  size_t used = 0;
  int n;

  for (const char *before = ""; options->text != NULL; options++, before = ", ") {
    size_t len = strlen(options->text);
    bool prefix = options->text[len - 1] == ':';

    n = snprintf(text + used, ZL_EXPECTED_TEXT - used, "%s%s%s", before, options->text,
                 prefix ? "..." : "");
    if (n < 0 || (size_t)n >= ZL_EXPECTED_TEXT - used)
      return;
    used += (size_t)n;
  }
}

const char *zl_value_expected(const struct zl_field *field, char text[ZL_EXPECTED_TEXT])
{
  switch (field->kind) {
  case ZL_KIND_INT:
    (void)snprintf(text, ZL_EXPECTED_TEXT, "a whole number from %lld to %llu",
                   (long long)field->min, (unsigned long long)field->max);
    return text;
  case ZL_KIND_ENUM:
    expect_options(field->options, text);
    return text;
  case ZL_KIND_BOOL:
    return "true or false";
  case ZL_KIND_NUMBER:
    return "a number";
  case ZL_KIND_DURATION:
    return "a duration such as 500ms, 30s or 1m30s";
  case ZL_KIND_BYTES:
    return "a size such as 512Mi or 2Gi";
  case ZL_KIND_LIST:
    return "a list of texts";
  case ZL_KIND_PAIRS:
    return "a mapping of names to texts";
  case ZL_KIND_ARRAY:
    return "a list of mappings";
  case ZL_KIND_STRUCT:
  case ZL_KIND_OPTIONAL:
  case ZL_KIND_MAP:
    return "a mapping";
  default:
    return "text";
  }
}
