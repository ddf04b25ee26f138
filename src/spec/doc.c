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
  bool live[TYPES_MAX]; /* can be used: not only below something that is not supported yet */
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

static const char *support_text(const struct zl_field *field, bool live)
{
  if (!live)
    return "no";
  if (field->planned == ZL_ALWAYS)
    return "default only";
  if (field->planned != 0)
    return "in part";
  if (field->kind == ZL_KIND_STRUCT)
    return "see there";
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

static int put_field(const struct zl_type *type, const struct zl_field *field, bool live,
                     struct zl_buf *out, struct zl_error *err)
{
  int r =
      zl_buf_printf(out, err, "| `%s`%s%s%s | ", field->key, field->alias != NULL ? " or `" : "",
                    field->alias != NULL ? field->alias : "", field->alias != NULL ? "`" : "");

  if (r == 0)
    r = put_type(field, out, err);
  if (r == 0)
    r = zl_buf_printf(out, err, " | %s | %s | %s", default_text(field), support_text(field, live),
                      field->doc != NULL ? field->doc : "");
  if (r == 0 && field->only != 0)
    r = put_cases(type, field, out, err);
  if (r == 0 && field->hint != NULL)
    r = zl_buf_printf(out, err, " Today: %s.", field->hint);
  return r < 0 ? r : zl_buf_puts(out, " |\n", err);
}

static int put_table(const struct zl_type *type, bool live, struct zl_buf *out,
                     struct zl_error *err)
{
  int r = zl_buf_printf(out, err,
                        "\n### %s\n\n| key | takes | default | acted on | meaning |\n"
                        "|---|---|---|---|---|\n",
                        type->name);

  for (size_t i = 0; r == 0 && i < type->n_fields; i++)
    r = put_field(type, &type->fields[i], live, out, err);
  return r;
}

static size_t find_seen(const struct seen *seen, const struct zl_type *type)
{
  size_t i = 0;

  while (i < seen->count && seen->types[i] != type)
    i++;
  return i;
}

/* Visits a type again when it turns out to be usable after all. */
static void collect(struct seen *seen, const struct zl_type *type, bool live)
{
  size_t at = find_seen(seen, type);

  if (at == TYPES_MAX || (at < seen->count && (seen->live[at] || !live)))
    return;
  if (at == seen->count)
    seen->types[seen->count++] = type;
  seen->live[at] = live;
  for (size_t i = 0; i < type->n_fields; i++) {
    const struct zl_field *field = &type->fields[i];

    if (field->type != NULL && field->kind != ZL_KIND_ATOM)
      collect(seen, field->type, live && field->planned != ZL_ALWAYS);
  }
}

int zl_type_document(const struct zl_type *type, struct zl_buf *out, struct zl_error *err)
{
  struct seen seen = { 0 };
  int r = 0;

  collect(&seen, type, true);
  for (size_t i = 0; r == 0 && i < seen.count; i++)
    r = put_table(seen.types[i], seen.live[i], out, err);
  return r;
}
