/* SPDX-License-Identifier: Apache-2.0
 *
 * From the tree of a file into the model, by the tables. A wrong value is reported and leaves the
 * field's default, so that reading goes on and finds the other errors too.
 */
#include <stdlib.h>
#include <string.h>

#include "base/strv.h"
#include "spec/field.h"

enum {
  FIELDS_MAX = 96 /* more than any table has */
};

static void decode_field(struct zl_spec_ctx *ctx, const struct zl_field *field,
                         const struct zl_at *at, void *object);

static void report_type(struct zl_spec_ctx *ctx, const struct zl_field *field,
                        const struct zl_at *at, const char *hint)
{
  char expected[ZL_EXPECTED_TEXT], found[ZL_DESCRIBE_TEXT];

  zl_report(ctx, at, ZL_E_INVALID, "expected %s, found %s%s", zl_value_expected(field, expected),
            zl_node_describe(at->node, found), hint);
}

static bool takes_scalar(const struct zl_field *field, enum zl_scalar scalar)
{
  switch (field->kind) {
  case ZL_KIND_BOOL:
    return scalar == ZL_SCALAR_BOOL;
  case ZL_KIND_INT:
    return scalar == ZL_SCALAR_INT;
  case ZL_KIND_NUMBER:
    return scalar == ZL_SCALAR_INT || scalar == ZL_SCALAR_FLOAT;
  case ZL_KIND_BYTES:
    return scalar == ZL_SCALAR_TEXT || scalar == ZL_SCALAR_INT;
  case ZL_KIND_ENUM:
    return scalar != ZL_SCALAR_NULL;
  default:
    return scalar == ZL_SCALAR_TEXT || ((field->flags & ZL_LOOSE) != 0 && scalar != ZL_SCALAR_NULL);
  }
}

/* What to do about a scalar of the wrong type. */
static const char *type_hint(const struct zl_field *field, const struct zl_node *node)
{
  enum zl_scalar scalar = zl_scalar_of(node);
  bool wants_text = field->kind == ZL_KIND_TEXT || field->kind == ZL_KIND_LIST ||
                    field->kind == ZL_KIND_PAIRS || field->kind == ZL_KIND_ATOM;

  if (wants_text && scalar != ZL_SCALAR_NULL)
    return ": put it in quotes";
  if (!node->plain && takes_scalar(field, zl_scalar_of_text(node->text)))
    return ": remove the quotes";
  return "";
}

/* The text of a scalar that the field takes, or NULL after a report. */
static const char *scalar_text(struct zl_spec_ctx *ctx, const struct zl_field *field,
                               const struct zl_at *at)
{
  const struct zl_node *node = at->node;

  if (node->kind != ZL_NODE_SCALAR) {
    report_type(ctx, field, at, "");
    return NULL;
  }
  if (node->tagged && field->kind != ZL_KIND_ATOM) {
    zl_report(ctx, at, ZL_E_INVALID, "YAML tags are not allowed here");
    return NULL;
  }
  if (takes_scalar(field, zl_scalar_of(node)))
    return node->text;
  report_type(ctx, field, at, type_hint(field, node));
  return NULL;
}

static void decode_scalar(struct zl_spec_ctx *ctx, const struct zl_field *field,
                          const struct zl_at *at, void *object)
{
  const char *text = scalar_text(ctx, field, at);
  struct zl_error err = { 0 };
  int r;

  if (text == NULL)
    return;
  r = zl_value_parse(field, text, object, &err);
  if (r == -ZL_E_NO_MEMORY)
    ctx->no_memory = true;
  else if (r < 0)
    zl_report(ctx, at, err.code, "%s", err.msg);
}

/* An element of a list or a value of a map of texts. */
static const char *element_text(struct zl_spec_ctx *ctx, const struct zl_field *field,
                                const struct zl_at *at)
{
  struct zl_field element = { .key = field->key, .kind = ZL_KIND_TEXT, .flags = field->flags };

  return scalar_text(ctx, &element, at);
}

static void decode_list(struct zl_spec_ctx *ctx, const struct zl_field *field,
                        const struct zl_at *at, void *object)
{
  size_t count = at->node->count, n = 0;
  char **list;

  if (at->node->kind != ZL_NODE_LIST) {
    report_type(ctx, field, at, "");
    return;
  }
  if (count == 0)
    return;
  list = calloc(count + 1, sizeof(*list));
  if (list == NULL) {
    ctx->no_memory = true;
    return;
  }
  for (size_t i = 0; i < count; i++) {
    struct zl_at child = zl_at_index(at, i);
    const char *text = element_text(ctx, field, &child);

    if (text == NULL)
      continue;
    list[n] = strdup(text);
    if (list[n] == NULL)
      ctx->no_memory = true;
    else
      n++;
  }
  zl_pointer_set(zl_slot(field, object), list);
}

static bool set_pair(struct zl_pair *pair, const char *key, const char *value)
{
  pair->key = strdup(key);
  pair->value = strdup(value);
  if (pair->key != NULL && pair->value != NULL)
    return true;
  free(pair->key);
  free(pair->value);
  return false;
}

static void decode_pairs(struct zl_spec_ctx *ctx, const struct zl_field *field,
                         const struct zl_at *at, void *object)
{
  struct zl_pairs *pairs = zl_slot(field, object);

  if (at->node->kind != ZL_NODE_MAP) {
    report_type(ctx, field, at, "");
    return;
  }
  if (at->node->count == 0)
    return;
  pairs->items = calloc(at->node->count, sizeof(*pairs->items));
  if (pairs->items == NULL) {
    ctx->no_memory = true;
    return;
  }
  for (size_t i = 0; i < at->node->count; i++) {
    const struct zl_entry *entry = &at->node->entries[i];
    struct zl_at child = { .up = at, .key = entry->key, .node = entry->value };
    const char *text = element_text(ctx, field, &child);

    if (text == NULL)
      continue;
    if (set_pair(&pairs->items[pairs->count], entry->key, text))
      pairs->count++;
    else
      ctx->no_memory = true;
  }
}

static void decode_optional(struct zl_spec_ctx *ctx, const struct zl_field *field,
                            const struct zl_at *at, void *object)
{
  void *inner = calloc(1, field->type->size);

  if (inner == NULL || zl_object_init(field->type, inner, NULL) < 0)
    ctx->no_memory = true;
  if (inner == NULL)
    return;
  zl_pointer_set(zl_slot(field, object), inner);
  zl_object_decode(ctx, field->type, at, inner);
}

static void decode_element(struct zl_spec_ctx *ctx, const struct zl_field *field,
                           const struct zl_at *at, void *element)
{
  char *name;

  if (zl_object_init(field->type, element, NULL) < 0)
    ctx->no_memory = true;
  if (field->type->named) {
    name = strdup(at->key);
    zl_pointer_set(element, name);
    if (name == NULL)
      ctx->no_memory = true;
  }
  zl_object_decode(ctx, field->type, at, element);
}

static void decode_many(struct zl_spec_ctx *ctx, const struct zl_field *field,
                        const struct zl_at *at, void *object)
{
  enum zl_node_kind kind = field->kind == ZL_KIND_MAP ? ZL_NODE_MAP : ZL_NODE_LIST;
  size_t count = at->node->count;
  char *elements;

  if (at->node->kind != kind) {
    report_type(ctx, field, at, "");
    return;
  }
  if (count == 0)
    return;
  elements = calloc(count, field->type->size);
  if (elements == NULL) {
    ctx->no_memory = true;
    return;
  }
  zl_pointer_set(zl_slot(field, object), elements);
  memcpy((char *)object + field->count, &count, sizeof(count));
  for (size_t i = 0; i < count; i++) {
    const struct zl_entry *entry = &at->node->entries[i];
    struct zl_at child = { .up = at, .key = entry->key, .index = i, .node = entry->value };

    child.key_mark = entry->key != NULL ? entry->mark : (struct zl_mark){ 0 };
    decode_element(ctx, field, &child, elements + i * field->type->size);
  }
}

/* "env:" with nothing behind it is an empty env; "replicas:" with nothing is a mistake. */
static bool takes_null(const struct zl_field *field)
{
  return (field->flags & ZL_REQUIRED) == 0 && field->fallback == NULL &&
         field->kind != ZL_KIND_BOOL;
}

static void decode_field(struct zl_spec_ctx *ctx, const struct zl_field *field,
                         const struct zl_at *at, void *object)
{
  if (zl_node_is_null(at->node)) {
    if (!takes_null(field))
      report_type(ctx, field, at, "");
    return;
  }
  switch (field->kind) {
  case ZL_KIND_LIST:
    decode_list(ctx, field, at, object);
    return;
  case ZL_KIND_PAIRS:
    decode_pairs(ctx, field, at, object);
    return;
  case ZL_KIND_STRUCT:
    zl_object_decode(ctx, field->type, at, zl_slot(field, object));
    return;
  case ZL_KIND_OPTIONAL:
    decode_optional(ctx, field, at, object);
    return;
  case ZL_KIND_ARRAY:
  case ZL_KIND_MAP:
    decode_many(ctx, field, at, object);
    return;
  default:
    decode_scalar(ctx, field, at, object);
  }
}

static void report_unknown(struct zl_spec_ctx *ctx, const struct zl_type *type,
                           const struct zl_at *at, const struct zl_entry *entry)
{
  const char *near = zl_suggest_key(type, entry->key);

  if (near != NULL)
    zl_report_mark(ctx, at, entry->mark, ZL_E_INVALID, "unknown key '%s', did you mean '%s'?",
                   entry->key, near);
  else
    zl_report_mark(ctx, at, entry->mark, ZL_E_INVALID, "unknown key '%s'", entry->key);
}

/* Reads the tag first: it says which other keys belong here. Returns the case, 0 when the tag is
 * missing or wrong (and reported). */
static unsigned decode_tag(struct zl_spec_ctx *ctx, const struct zl_type *type,
                           const struct zl_at *at, void *object)
{
  const struct zl_field *tag = zl_type_tag(type);
  size_t errors = ctx->errors.count;
  struct zl_at child;

  if (tag == NULL)
    return ZL_ALWAYS;
  child = zl_at_key(at, tag->key, tag->alias);
  if (child.node == NULL)
    return (tag->flags & ZL_REQUIRED) != 0 ? 0 : zl_object_case(type, object);
  decode_field(ctx, tag, &child, object);
  return ctx->errors.count > errors ? 0 : zl_object_case(type, object);
}

static bool is_first(const struct zl_field *field, const struct zl_at *at,
                     const struct zl_entry *entry)
{
  struct zl_at first = zl_at_key(at, field->key, field->alias);

  return first.key_mark.line == entry->mark.line && first.key_mark.column == entry->mark.column;
}

static void decode_entry(struct zl_spec_ctx *ctx, const struct zl_type *type,
                         const struct zl_at *at, const struct zl_entry *entry, unsigned which,
                         void *object)
{
  const struct zl_field *field = zl_type_find(type, entry->key);
  struct zl_at child = {
    .up = at, .key = entry->key, .node = entry->value, .key_mark = entry->mark
  };
  const struct zl_field *tag;

  if (field == NULL) {
    report_unknown(ctx, type, at, entry);
  } else if (!is_first(field, at, entry)) {
    return; /* a key that is there twice was reported; reading it again would lose the first */
  } else if (field->only != 0 && which != 0 && (field->only & which) == 0) {
    tag = zl_type_tag(type);
    zl_report_mark(ctx, &child, entry->mark, ZL_E_INVALID, "does not go with %s '%s'", tag->key,
                   zl_option_text(tag->options, (unsigned)zl_int_get(tag, object)));
  } else if ((field->flags & ZL_TAG) == 0) {
    decode_field(ctx, field, &child, object);
  }
}

static void check_present(struct zl_spec_ctx *ctx, const struct zl_type *type,
                          const struct zl_at *at, unsigned which)
{
  for (size_t i = 0; i < type->n_fields; i++) {
    const struct zl_field *field = &type->fields[i];
    bool required = (field->flags & ZL_REQUIRED) != 0 ||
                    (which != 0 && which != ZL_ALWAYS && (field->need & which) != 0);
    struct zl_at child = zl_at_key(at, field->key, field->alias);

    if (required && child.node == NULL)
      zl_report(ctx, &child, ZL_E_INVALID, "required but missing");
  }
}

/* Both names of one field: the reader of the file could not say which one counts. */
static void check_aliases(struct zl_spec_ctx *ctx, const struct zl_type *type,
                          const struct zl_at *at)
{
  const char *keys[FIELDS_MAX] = { NULL };

  for (size_t i = 0; i < at->node->count; i++) {
    const struct zl_entry *entry = &at->node->entries[i];
    const struct zl_field *field = zl_type_find(type, entry->key);
    struct zl_at child = { .up = at, .key = entry->key, .node = entry->value };
    size_t n = field != NULL ? (size_t)(field - type->fields) : FIELDS_MAX;

    if (n >= FIELDS_MAX)
      continue;
    if (keys[n] != NULL && strcmp(keys[n], entry->key) != 0)
      zl_report_mark(ctx, &child, entry->mark, ZL_E_INVALID, "the same as '%s', which is there too",
                     keys[n]);
    keys[n] = entry->key;
  }
}

void zl_object_decode(struct zl_spec_ctx *ctx, const struct zl_type *type, const struct zl_at *at,
                      void *object)
{
  static const struct zl_field mapping = { .kind = ZL_KIND_STRUCT };
  unsigned which;

  if (at->node->kind != ZL_NODE_MAP) {
    report_type(ctx, &mapping, at, "");
    return;
  }
  check_aliases(ctx, type, at);
  which = decode_tag(ctx, type, at, object);
  for (size_t i = 0; i < at->node->count; i++)
    decode_entry(ctx, type, at, &at->node->entries[i], which, object);
  check_present(ctx, type, at, which);
  if (type->finish != NULL)
    type->finish(ctx, at, object);
}
