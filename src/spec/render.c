/* SPDX-License-Identifier: Apache-2.0
 *
 * Canonical YAML and JSON out of the model, by the tables.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "base/strv.h"
#include "spec/field.h"
#include "spec/rules.h"
#include "spec/units.h"

struct frame {
  bool list;
  size_t count;
};

/* What was written last decides how a nested value begins. */
enum state {
  AT_START,
  AFTER_KEY,
  AFTER_DASH
};

struct writer {
  struct zl_buf *out;
  bool json;
  enum state state;
  struct frame frames[ZL_MAX_SPEC_DEPTH];
  size_t depth;
};

static int render_object(struct writer *writer, const struct zl_type *type, const void *object,
                         struct zl_error *err);

static int put(struct writer *writer, const char *text, struct zl_error *err)
{
  return zl_buf_puts(writer->out, text, err);
}

static int put_indent(struct writer *writer, size_t depth, struct zl_error *err)
{
  return zl_buf_printf(writer->out, err, "\n%*s", (int)(2 * depth), "");
}

/* Characters that YAML takes for line breaks or refuses, besides what JSON escapes. */
static bool needs_escape(uint32_t c)
{
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 || c == 0xfeff ||
         c == 0xfffe || c == 0xffff;
}

static int put_quoted(struct writer *writer, const char *text, struct zl_error *err)
{
  const char *p = text, *start;
  uint32_t c;
  int r = put(writer, "\"", err);

  while (r == 0 && *p != '\0') {
    start = p;
    if (!zl_utf8_next(&p, &c))
      return zl_fail(err, ZL_E_INVALID, 0, "a text is not valid UTF-8");
    if (c == '"' || c == '\\')
      r = zl_buf_printf(writer->out, err, "\\%c", (int)c);
    else if (c == '\n' || c == '\t')
      r = put(writer, c == '\n' ? "\\n" : "\\t", err);
    else if (needs_escape(c))
      r = zl_buf_printf(writer->out, err, "\\u%04x", (unsigned)c);
    else
      r = zl_buf_append(writer->out, start, (size_t)(p - start), err);
  }
  return r < 0 ? r : put(writer, "\"", err);
}

/* Only what no YAML reader, old or new, takes for anything but text. */
static bool is_plain(const char *text)
{
  static const char *const words[] = { "y", "n", "yes", "no", "on", "off" };
  static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./@+-";

  if (strspn(text, safe) != strlen(text) || strchr("@+-.", text[0]) != NULL ||
      zl_scalar_of_text(text) != ZL_SCALAR_TEXT)
    return false;
  for (size_t i = 0; i < ZL_COUNT(words); i++)
    if (strcasecmp(text, words[i]) == 0)
      return false;
  return true;
}

/* Begins an entry of the innermost list or map. */
static int put_entry(struct writer *writer, struct zl_error *err)
{
  struct frame *frame = &writer->frames[writer->depth - 1];
  bool first = frame->count++ == 0;
  int r = 0;

  if (writer->json && !first)
    r = put(writer, ",", err);
  if (r < 0)
    return r;
  if (writer->json)
    return put_indent(writer, writer->depth, err);
  if (first && writer->state != AFTER_KEY)
    return 0;
  return put_indent(writer, writer->depth - 1, err);
}

static int put_key(struct writer *writer, const char *key, struct zl_error *err)
{
  int r = put_entry(writer, err);

  if (r == 0)
    r = !writer->json && is_plain(key) ? put(writer, key, err) : put_quoted(writer, key, err);
  if (r == 0)
    r = put(writer, ":", err);
  writer->state = AFTER_KEY;
  return r;
}

static int put_item(struct writer *writer, struct zl_error *err)
{
  int r = put_entry(writer, err);

  if (r == 0 && !writer->json)
    r = put(writer, "- ", err);
  writer->state = AFTER_DASH;
  return r;
}

/* A scalar that needs no quotes in either format. */
static int put_raw(struct writer *writer, const char *text, struct zl_error *err)
{
  int r = writer->state == AFTER_KEY ? put(writer, " ", err) : 0;

  writer->state = AT_START;
  return r < 0 ? r : put(writer, text, err);
}

static int put_text(struct writer *writer, const char *text, struct zl_error *err)
{
  int r;

  if (!writer->json && is_plain(text))
    return put_raw(writer, text, err);
  r = put_raw(writer, "", err);
  return r < 0 ? r : put_quoted(writer, text, err);
}

static int open_frame(struct writer *writer, bool list, struct zl_error *err)
{
  if (writer->depth >= ZL_MAX_SPEC_DEPTH)
    return zl_fail(err, ZL_E_INTERNAL, 0, "the model is nested too deep");
  writer->frames[writer->depth++] = (struct frame){ .list = list };
  return writer->json ? put_raw(writer, list ? "[" : "{", err) : 0;
}

static int close_frame(struct writer *writer, struct zl_error *err)
{
  struct frame frame = writer->frames[--writer->depth];
  int r = 0;

  if (!writer->json)
    return frame.count > 0 ? 0 : put_raw(writer, frame.list ? "[]" : "{}", err);
  if (frame.count > 0)
    r = put_indent(writer, writer->depth, err);
  writer->state = AT_START;
  return r < 0 ? r : put(writer, frame.list ? "]" : "}", err);
}

static int render_list(struct writer *writer, char *const *list, struct zl_error *err)
{
  int r = open_frame(writer, true, err);

  for (size_t i = 0; r == 0 && list != NULL && list[i] != NULL; i++) {
    r = put_item(writer, err);
    if (r == 0)
      r = put_text(writer, list[i], err);
  }
  return r < 0 ? r : close_frame(writer, err);
}

static int render_pairs(struct writer *writer, const struct zl_pairs *pairs, struct zl_error *err)
{
  int r = open_frame(writer, false, err);

  for (size_t i = 0; r == 0 && i < pairs->count; i++) {
    r = put_key(writer, pairs->items[i].key, err);
    if (r == 0)
      r = put_text(writer, pairs->items[i].value, err);
  }
  return r < 0 ? r : close_frame(writer, err);
}

static int render_many(struct writer *writer, const struct zl_field *field, const void *object,
                       struct zl_error *err)
{
  bool list = field->kind == ZL_KIND_ARRAY;
  int r = open_frame(writer, list, err);

  for (size_t i = 0; r == 0 && i < zl_field_count(field, object); i++) {
    const void *element = zl_field_element(field, object, i);

    r = list ? put_item(writer, err) : put_key(writer, zl_pointer_get(element), err);
    if (r == 0)
      r = render_object(writer, field->type, element, err);
  }
  return r < 0 ? r : close_frame(writer, err);
}

static int number_text(const struct zl_field *field, const void *object, struct zl_buf *text,
                       struct zl_error *err)
{
  int64_t value = 0;
  double number;
  int r;

  if (field->kind == ZL_KIND_INT) {
    value = zl_int_get(field, object);
    return field->min < 0 ? zl_buf_printf(text, err, "%lld", (long long)value)
                          : zl_buf_printf(text, err, "%llu", (unsigned long long)value);
  }
  memcpy(&number, zl_slot_const(field, object), sizeof(number));
  r = zl_buf_printf(text, err, "%.15g", number);
  if (r < 0)
    return r;
  if (strtod(text->data, NULL) == number)
    return 0;
  zl_buf_clear(text);
  return zl_buf_printf(text, err, "%.17g", number);
}

/* Sizes without a unit are numbers, others texts. */
static int render_bytes(struct writer *writer, uint64_t bytes, struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT(64);
  int r;

  if (bytes == ZL_UNLIMITED)
    return put_raw(writer, "-1", err);
  r = zl_memory_render(bytes, &text, err);
  if (r < 0)
    return r;
  return zl_scalar_of_text(text.data) == ZL_SCALAR_INT ? put_raw(writer, text.data, err)
                                                       : put_text(writer, text.data, err);
}

static int render_number(struct writer *writer, const struct zl_field *field, const void *object,
                         struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT(64);
  int r;

  if (field->kind == ZL_KIND_BYTES)
    return render_bytes(writer, (uint64_t)zl_int_get(field, object), err);
  if (field->kind == ZL_KIND_DURATION) {
    r = zl_duration_render((uint64_t)zl_int_get(field, object), &text, err);
    return r < 0 ? r : put_text(writer, text.data, err);
  }
  r = number_text(field, object, &text, err);
  return r < 0 ? r : put_raw(writer, text.data, err);
}

static int render_atom(struct writer *writer, const struct zl_field *field, const void *slot,
                       struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  int r = field->type->render(slot, &text, err);

  return r < 0 ? r : put_text(writer, text.data, err);
}

static int render_value(struct writer *writer, const struct zl_field *field, const void *object,
                        struct zl_error *err)
{
  const void *slot = zl_slot_const(field, object);
  bool flag;

  switch (field->kind) {
  case ZL_KIND_TEXT:
    return put_text(writer, zl_pointer_get(slot), err);
  case ZL_KIND_BOOL:
    memcpy(&flag, slot, sizeof(flag));
    return put_raw(writer, flag ? "true" : "false", err);
  case ZL_KIND_ENUM:
    return put_text(writer, zl_option_text(field->options, (unsigned)zl_int_get(field, object)),
                    err);
  case ZL_KIND_ATOM:
    return render_atom(writer, field, slot, err);
  case ZL_KIND_LIST:
    return render_list(writer, zl_pointer_get(slot), err);
  case ZL_KIND_PAIRS:
    return render_pairs(writer, slot, err);
  case ZL_KIND_STRUCT:
    return render_object(writer, field->type, slot, err);
  case ZL_KIND_OPTIONAL:
    return render_object(writer, field->type, zl_pointer_get(slot), err);
  case ZL_KIND_ARRAY:
  case ZL_KIND_MAP:
    return render_many(writer, field, object, err);
  default:
    return render_number(writer, field, object, err);
  }
}

/* Fields of another case and optional ones that are not set are left out. */
static bool is_shown(const struct zl_field *field, const void *object, unsigned which)
{
  bool shown_at_default = field->fallback != NULL || field->kind == ZL_KIND_BOOL ||
                          field->kind == ZL_KIND_LIST || field->kind == ZL_KIND_PAIRS ||
                          field->kind == ZL_KIND_STRUCT || field->kind == ZL_KIND_ARRAY ||
                          field->kind == ZL_KIND_MAP ||
                          (field->flags & (ZL_REQUIRED | ZL_SHOWN)) != 0;

  if (field->only != 0 && (field->only & which) == 0)
    return false;
  if (!zl_field_is_set(field, object))
    return false;
  if (field->kind == ZL_KIND_ENUM)
    return zl_option_text(field->options, (unsigned)zl_int_get(field, object)) != NULL;
  return (shown_at_default && (field->flags & ZL_QUIET) == 0) ||
         !zl_field_is_default(field, object);
}

static int render_object(struct writer *writer, const struct zl_type *type, const void *object,
                         struct zl_error *err)
{
  unsigned which = zl_object_case(type, object);
  int r = open_frame(writer, false, err);

  for (size_t i = 0; r == 0 && i < type->n_fields; i++) {
    const struct zl_field *field = &type->fields[i];

    if (!is_shown(field, object, which))
      continue;
    r = put_key(writer, field->key, err);
    if (r == 0)
      r = render_value(writer, field, object, err);
  }
  return r < 0 ? r : close_frame(writer, err);
}

int zl_object_render(const struct zl_type *type, const void *object, enum zl_spec_format format,
                     struct zl_buf *out, struct zl_error *err)
{
  struct writer writer = { .out = out, .json = format == ZL_SPEC_JSON };
  int r = render_object(&writer, type, object, err);

  return r < 0 ? r : put(&writer, "\n", err);
}
