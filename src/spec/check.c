/* SPDX-License-Identifier: Apache-2.0
 *
 * The rules of the tables, applied to a finished object: one that was read from a file and one that
 * a program made are checked alike.
 */
#include <string.h>

#include "base/limits.h"
#include "base/strv.h"
#include "spec/field.h"
#include "spec/rules.h"

static void report_planned(struct zl_spec_ctx *ctx, const struct zl_field *field,
                           const struct zl_at *at, const char *value)
{
  if (ctx->quiet > 0)
    return;
  zl_report(ctx, at, ZL_E_UNSUPPORTED, "%s%s%snot supported yet%s%s", value != NULL ? "'" : "",
            value != NULL ? value : "", value != NULL ? "' is " : "",
            field->hint != NULL ? ": " : "", field->hint != NULL ? field->hint : "");
}

static void check_enum(struct zl_spec_ctx *ctx, const struct zl_field *field,
                       const struct zl_at *at, const void *object)
{
  unsigned value = (unsigned)zl_int_get(field, object);
  const struct zl_option *option = field->options;

  while (option->text != NULL && option->value != value)
    option++;
  if (option->text == NULL) {
    if (value != 0)
      zl_report(ctx, at, ZL_E_INVALID, "%u is not a value of this field", value);
  } else if (option->planned) {
    report_planned(ctx, field, at, option->text);
  }
}

/* Files are checked while they are read. */
static void check_int(struct zl_spec_ctx *ctx, const struct zl_field *field, const struct zl_at *at,
                      const void *object)
{
  int64_t value = zl_int_get(field, object);
  char expected[ZL_EXPECTED_TEXT];
  bool below, above;

  if (ctx->from_file || zl_field_is_default(field, object))
    return;
  below = field->min < 0 ? value < field->min : (uint64_t)value < (uint64_t)field->min;
  above = (field->min >= 0 || value > 0) && (uint64_t)value > field->max;
  if (below || above)
    zl_report(ctx, at, ZL_E_INVALID, "expected %s", zl_value_expected(field, expected));
}

static void check_one_text(struct zl_spec_ctx *ctx, const struct zl_field *field,
                           const struct zl_at *at, const char *text)
{
  if (!ctx->from_file && !zl_text_is_utf8(text))
    zl_report(ctx, at, ZL_E_INVALID, "text is not valid UTF-8");
  else if (field->check != NULL)
    field->check(ctx, at, text);
}

static void check_text(struct zl_spec_ctx *ctx, const struct zl_field *field,
                       const struct zl_at *at, const void *object, unsigned which)
{
  const char *text = zl_pointer_get(zl_slot_const(field, object));
  bool required =
      (field->flags & ZL_REQUIRED) != 0 || (which != ZL_ALWAYS && (field->need & which) != 0);

  if (text != NULL)
    check_one_text(ctx, field, at, text);
  else if (required && !ctx->from_file)
    zl_report(ctx, at, ZL_E_INVALID, "required but missing");
}

static void check_list(struct zl_spec_ctx *ctx, const struct zl_field *field,
                       const struct zl_at *at, const void *object)
{
  char **list = zl_pointer_get(zl_slot_const(field, object));

  for (size_t i = 0; list != NULL && list[i] != NULL; i++) {
    struct zl_at child = zl_at_index(at, i);

    check_one_text(ctx, field, &child, list[i]);
  }
}

static void check_pairs(struct zl_spec_ctx *ctx, const struct zl_field *field,
                        const struct zl_at *at, const void *object)
{
  const struct zl_pairs *pairs = zl_slot_const(field, object);

  for (size_t i = 0; i < pairs->count; i++) {
    const struct zl_pair *pair = &pairs->items[i];
    struct zl_at child = zl_at_key(at, pair->key, NULL);

    if (!ctx->from_file && (!zl_text_is_utf8(pair->key) || !zl_text_is_utf8(pair->value)))
      zl_report(ctx, &child, ZL_E_INVALID, "text is not valid UTF-8");
    else if (field->check != NULL)
      field->check(ctx, &child, pair);
  }
}

static void check_many(struct zl_spec_ctx *ctx, const struct zl_field *field,
                       const struct zl_at *at, const void *object)
{
  for (size_t i = 0; i < zl_field_count(field, object); i++) {
    const void *element = zl_field_element(field, object, i);
    struct zl_at child =
        field->type->named ? zl_at_key(at, zl_pointer_get(element), NULL) : zl_at_index(at, i);

    if (field->type->check_name != NULL)
      field->type->check_name(ctx, &child, zl_pointer_get(element));
    zl_object_check(ctx, field->type, &child, element);
  }
}

/* A value that could not be read has left the default behind, about which nothing is to be said. */
static bool was_reported(const struct zl_spec_ctx *ctx, const struct zl_at *at)
{
  if (at->node == NULL || at->node->kind != ZL_NODE_SCALAR)
    return false;
  for (size_t i = 0; i < ctx->errors.count; i++)
    if (ctx->errors.items[i].line == at->node->mark.line &&
        ctx->errors.items[i].column == at->node->mark.column)
      return true;
  return false;
}

static void check_value(struct zl_spec_ctx *ctx, const struct zl_field *field,
                        const struct zl_at *at, const void *object, unsigned which)
{
  const void *slot = zl_slot_const(field, object);

  switch (field->kind) {
  case ZL_KIND_TEXT:
    check_text(ctx, field, at, object, which);
    return;
  case ZL_KIND_LIST:
    check_list(ctx, field, at, object);
    return;
  case ZL_KIND_PAIRS:
    check_pairs(ctx, field, at, object);
    return;
  case ZL_KIND_STRUCT:
  case ZL_KIND_ATOM:
    zl_object_check(ctx, field->type, at, slot);
    return;
  case ZL_KIND_OPTIONAL:
    if (zl_pointer_get(slot) != NULL)
      zl_object_check(ctx, field->type, at, zl_pointer_get(slot));
    return;
  case ZL_KIND_ARRAY:
  case ZL_KIND_MAP:
    check_many(ctx, field, at, object);
    return;
  case ZL_KIND_ENUM:
    check_enum(ctx, field, at, object);
    return;
  case ZL_KIND_INT:
    check_int(ctx, field, at, object);
    break;
  default:
    break;
  }
  if (field->check != NULL && zl_field_is_set(field, object))
    field->check(ctx, at, slot);
}

static void check_field(struct zl_spec_ctx *ctx, const struct zl_field *field,
                        const struct zl_at *at, const void *object, unsigned which)
{
  bool planned = (field->planned & which) != 0 && !zl_field_is_default(field, object);

  if (was_reported(ctx, at))
    return;
  if (planned)
    report_planned(ctx, field, at, NULL);
  ctx->quiet += planned;
  check_value(ctx, field, at, object, which);
  ctx->quiet -= planned;
}

void zl_object_check(struct zl_spec_ctx *ctx, const struct zl_type *type, const struct zl_at *at,
                     const void *object)
{
  unsigned which = zl_object_case(type, object);

  for (size_t i = 0; i < type->n_fields; i++) {
    const struct zl_field *field = &type->fields[i];
    struct zl_at child = type->parse != NULL ? *at : zl_at_key(at, field->key, field->alias);

    if (field->only == 0 || (field->only & which) != 0)
      check_field(ctx, field, &child, object, which);
  }
  if (type->check != NULL)
    type->check(ctx, at, object);
}
