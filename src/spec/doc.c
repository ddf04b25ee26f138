/* SPDX-License-Identifier: Apache-2.0
 *
 * docs/schema.md out of the tables.
 */
#include <string.h>

#include "base/buf.h"
#include "spec/field.h"

enum {
  TYPES_MAX = 64 /* more structs than the model has */
};

struct seen {
  const struct zl_type *types[TYPES_MAX];
  size_t count;
};

static const char *kind_text(const struct zl_field *field)
{
  switch (field->kind) {
  case ZL_KIND_BOOL:
    return "boolean";
  case ZL_KIND_INT:
    return "whole number";
  case ZL_KIND_NUMBER:
    return "number";
  case ZL_KIND_DURATION:
    return "duration";
  case ZL_KIND_BYTES:
    return "size";
  case ZL_KIND_LIST:
    return "list of texts";
  case ZL_KIND_PAIRS:
    return "map of texts";
  case ZL_KIND_STRUCT:
  case ZL_KIND_OPTIONAL:
    return "map";
  case ZL_KIND_ARRAY:
    return "list of maps";
  case ZL_KIND_MAP:
    return "map of maps";
  default:
    return "text";
  }
}

/* The texts of an enum; those not supported yet in parentheses. */
static int put_options(const struct zl_option *options, struct zl_buf *out, struct zl_error *err)
{
  int r = 0;

  for (size_t i = 0; r == 0 && options[i].text != NULL; i++)
    r = zl_buf_printf(out, err, "%s%s`%s`%s", i > 0 ? ", " : "", options[i].planned ? "(" : "",
                      options[i].text, options[i].planned ? ")" : "");
  return r;
}

static int put_type(const struct zl_field *field, struct zl_buf *out, struct zl_error *err)
{
  if (field->kind == ZL_KIND_ENUM)
    return put_options(field->options, out, err);
  if (field->kind == ZL_KIND_INT && field->max < INT64_MAX)
    return zl_buf_printf(out, err, "%lld to %llu", (long long)field->min,
                         (unsigned long long)field->max);
  if (field->type != NULL && field->kind != ZL_KIND_ATOM)
    return zl_buf_printf(out, err, "%s: [%s](#%s)", kind_text(field), field->type->name,
                         field->type->name);
  return zl_buf_puts(out, kind_text(field), err);
}

static const char *default_text(const struct zl_field *field)
{
  if ((field->flags & ZL_REQUIRED) != 0)
    return "**required**";
  if (field->fallback != NULL)
    return field->fallback;
  return field->need != 0 ? "required" : "";
}

static const char *support_text(const struct zl_field *field)
{
  if (field->planned == ZL_ALWAYS)
    return "default only";
  if (field->planned != 0)
    return "in part";
  if ((field->flags & ZL_METADATA) != 0)
    return "metadata";
  return (field->flags & ZL_ELSEWHERE) != 0 ? "by the node" : "yes";
}

/* The cases that have the field: "(bind, named)". */
static int put_cases(const struct zl_type *type, const struct zl_field *field, struct zl_buf *out,
                     struct zl_error *err)
{
  const struct zl_option *option = zl_type_tag(type)->options;
  const char *before = " Only with ";
  int r = 0;

  for (; r == 0 && option->text != NULL; option++) {
    if ((field->only & ZL_CASE(option->value)) == 0)
      continue;
    r = zl_buf_printf(out, err, "%s`%s`", before, option->text);
    before = ", ";
  }
  return r < 0 ? r : zl_buf_puts(out, ".", err);
}

static int put_field(const struct zl_type *type, const struct zl_field *field, struct zl_buf *out,
                     struct zl_error *err)
{
  int r =
      zl_buf_printf(out, err, "| `%s`%s%s%s | ", field->key, field->alias != NULL ? " or `" : "",
                    field->alias != NULL ? field->alias : "", field->alias != NULL ? "`" : "");

  if (r == 0)
    r = put_type(field, out, err);
  if (r == 0)
    r = zl_buf_printf(out, err, " | %s | %s | %s", default_text(field), support_text(field),
                      field->doc != NULL ? field->doc : "");
  if (r == 0 && field->only != 0)
    r = put_cases(type, field, out, err);
  if (r == 0 && field->hint != NULL)
    r = zl_buf_printf(out, err, " Until then: %s.", field->hint);
  return r < 0 ? r : zl_buf_puts(out, " |\n", err);
}

static int put_table(const struct zl_type *type, struct zl_buf *out, struct zl_error *err)
{
  int r = zl_buf_printf(out, err,
                        "\n### %s\n\n| key | takes | default | acted on | meaning |\n"
                        "|---|---|---|---|---|\n",
                        type->name);

  for (size_t i = 0; r == 0 && i < type->n_fields; i++)
    r = put_field(type, &type->fields[i], out, err);
  return r;
}

static bool was_seen(const struct seen *seen, const struct zl_type *type)
{
  for (size_t i = 0; i < seen->count; i++)
    if (seen->types[i] == type)
      return true;
  return false;
}

static void collect(struct seen *seen, const struct zl_type *type)
{
  if (was_seen(seen, type) || seen->count == TYPES_MAX)
    return;
  seen->types[seen->count++] = type;
  for (size_t i = 0; i < type->n_fields; i++)
    if (type->fields[i].type != NULL && type->fields[i].kind != ZL_KIND_ATOM)
      collect(seen, type->fields[i].type);
}

int zl_type_document(const struct zl_type *type, struct zl_buf *out, struct zl_error *err)
{
  struct seen seen = { 0 };
  int r = 0;

  collect(&seen, type);
  for (size_t i = 0; r == 0 && i < seen.count; i++)
    r = put_table(seen.types[i], out, err);
  return r;
}
