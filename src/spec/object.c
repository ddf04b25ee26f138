/* SPDX-License-Identifier: Apache-2.0
 *
 * Defaults, copies and release of the model's structs, by their tables.
 */
#include <stdlib.h>
#include <string.h>

#include "base/strv.h"
#include "spec/field.h"

void *zl_slot(const struct zl_field *field, void *object)
{
  return (char *)object + field->offset;
}

const void *zl_slot_const(const struct zl_field *field, const void *object)
{
  return (const char *)object + field->offset;
}

void *zl_pointer_get(const void *slot)
{
  void *pointer;

  memcpy(&pointer, slot, sizeof(pointer));
  return pointer;
}

void zl_pointer_set(void *slot, void *pointer)
{
  memcpy(slot, &pointer, sizeof(pointer));
}

size_t zl_field_count(const struct zl_field *field, const void *object)
{
  size_t count;

  memcpy(&count, (const char *)object + field->count, sizeof(count));
  return count;
}

static void set_count(const struct zl_field *field, void *object, size_t count)
{
  memcpy((char *)object + field->count, &count, sizeof(count));
}

const void *zl_field_element(const struct zl_field *field, const void *object, size_t index)
{
  const char *elements = zl_pointer_get(zl_slot_const(field, object));

  return elements + index * field->type->size;
}

bool zl_field_is_set(const struct zl_field *field, const void *object)
{
  bool has;

  if (field->has != 0) {
    memcpy(&has, (const char *)object + field->has, sizeof(has));
    return has;
  }
  if (field->kind == ZL_KIND_TEXT || field->kind == ZL_KIND_OPTIONAL)
    return zl_pointer_get(zl_slot_const(field, object)) != NULL;
  return true;
}

const struct zl_field *zl_type_tag(const struct zl_type *type)
{
  for (size_t i = 0; i < type->n_fields; i++)
    if ((type->fields[i].flags & ZL_TAG) != 0)
      return &type->fields[i];
  return NULL;
}

unsigned zl_object_case(const struct zl_type *type, const void *object)
{
  const struct zl_field *tag = zl_type_tag(type);

  return tag == NULL ? ZL_ALWAYS : ZL_CASE((unsigned)zl_int_get(tag, object));
}

const struct zl_field *zl_type_find(const struct zl_type *type, const char *key)
{
  for (size_t i = 0; i < type->n_fields; i++) {
    const struct zl_field *field = &type->fields[i];

    if (strcmp(field->key, key) == 0 || (field->alias != NULL && strcmp(field->alias, key) == 0))
      return field;
  }
  return NULL;
}

const char *zl_option_text(const struct zl_option *options, unsigned value)
{
  for (; options->text != NULL; options++)
    if (options->value == value)
      return options->text;
  return NULL;
}

const struct zl_option *zl_option_find(const struct zl_option *options, const char *text)
{
  for (; options->text != NULL; options++) {
    size_t len = strlen(options->text);

    if (strcmp(options->text, text) == 0 ||
        (options->text[len - 1] == ':' && strncmp(options->text, text, len) == 0))
      return options;
  }
  return NULL;
}

int zl_object_init(const struct zl_type *type, void *object, struct zl_error *err)
{
  int r;

  memset(object, 0, type->size);
  for (size_t i = 0; i < type->n_fields; i++) {
    const struct zl_field *field = &type->fields[i];

    r = 0;
    if (field->kind == ZL_KIND_STRUCT)
      r = zl_object_init(field->type, zl_slot(field, object), err);
    else if (field->fallback != NULL)
      r = zl_value_parse(field, field->fallback, object, err);
    if (r < 0)
      return r;
  }
  return 0;
}

static void free_many(const struct zl_field *field, void *object)
{
  char *elements = zl_pointer_get(zl_slot(field, object));

  for (size_t i = 0; i < zl_field_count(field, object); i++)
    zl_object_done(field->type, elements + i * field->type->size);
  free(elements);
}

static void free_field(const struct zl_field *field, void *object)
{
  void *slot = zl_slot(field, object);

  switch (field->kind) {
  case ZL_KIND_TEXT:
    free(zl_pointer_get(slot));
    break;
  case ZL_KIND_LIST:
    zl_strv_free(zl_pointer_get(slot));
    break;
  case ZL_KIND_PAIRS:
    zl_pairs_done(slot);
    break;
  case ZL_KIND_ATOM:
  case ZL_KIND_STRUCT:
    zl_object_done(field->type, slot);
    break;
  case ZL_KIND_OPTIONAL:
    if (zl_pointer_get(slot) != NULL)
      zl_object_done(field->type, zl_pointer_get(slot));
    free(zl_pointer_get(slot));
    break;
  case ZL_KIND_ARRAY:
  case ZL_KIND_MAP:
    free_many(field, object);
    break;
  default:
    break; /* the other kinds own nothing */
  }
}

void zl_object_done(const struct zl_type *type, void *object)
{
  if (type->named)
    free(zl_pointer_get(object));
  for (size_t i = 0; i < type->n_fields; i++)
    free_field(&type->fields[i], object);
  memset(object, 0, type->size);
}

static int copy_text(void *to, const void *from, struct zl_error *err)
{
  const char *text = zl_pointer_get(from);
  char *copy = text != NULL ? strdup(text) : NULL;

  if (text != NULL && copy == NULL)
    return zl_fail_nomem(err, "text");
  zl_pointer_set(to, copy);
  return 0;
}

static int copy_list(void *to, const void *from, struct zl_error *err)
{
  char **copy = NULL;
  char **list = zl_pointer_get(from);
  int r = zl_strv_copy(&copy, (const char *const *)list, err);

  if (r == 0)
    zl_pointer_set(to, copy);
  return r;
}

static int copy_pairs(struct zl_pairs *to, const struct zl_pairs *from, struct zl_error *err)
{
  int r = 0;

  for (size_t i = 0; i < from->count && r == 0; i++)
    r = zl_pairs_set(to, from->items[i].key, from->items[i].value, err);
  return r;
}

static int copy_optional(const struct zl_type *type, void *to, const void *from,
                         struct zl_error *err)
{
  const void *object = zl_pointer_get(from);
  void *copy;

  if (object == NULL)
    return 0;
  copy = calloc(1, type->size);
  if (copy == NULL)
    return zl_fail_nomem(err, type->name);
  zl_pointer_set(to, copy);
  return zl_object_copy(type, copy, object, err);
}

static int copy_many(const struct zl_field *field, void *to, const void *from, struct zl_error *err)
{
  size_t count = zl_field_count(field, from);
  char *copy;
  int r = 0;

  if (count == 0)
    return 0;
  copy = calloc(count, field->type->size);
  if (copy == NULL)
    return zl_fail_nomem(err, field->key);
  zl_pointer_set(zl_slot(field, to), copy);
  set_count(field, to, count);
  for (size_t i = 0; i < count && r == 0; i++)
    r = zl_object_copy(field->type, copy + i * field->type->size, zl_field_element(field, from, i),
                       err);
  return r;
}

static int copy_field(const struct zl_field *field, void *to, const void *from,
                      struct zl_error *err)
{
  void *slot = zl_slot(field, to);
  const void *source = zl_slot_const(field, from);

  if (field->has != 0)
    memcpy((char *)to + field->has, (const char *)from + field->has, sizeof(bool));
  switch (field->kind) {
  case ZL_KIND_TEXT:
    return copy_text(slot, source, err);
  case ZL_KIND_LIST:
    return copy_list(slot, source, err);
  case ZL_KIND_PAIRS:
    return copy_pairs(slot, source, err);
  case ZL_KIND_ATOM:
  case ZL_KIND_STRUCT:
    return zl_object_copy(field->type, slot, source, err);
  case ZL_KIND_OPTIONAL:
    return copy_optional(field->type, slot, source, err);
  case ZL_KIND_ARRAY:
  case ZL_KIND_MAP:
    return copy_many(field, to, from, err);
  default:
    memcpy(slot, source, field->size);
    return 0;
  }
}

int zl_object_copy(const struct zl_type *type, void *to, const void *from, struct zl_error *err)
{
  int r = 0;

  memset(to, 0, type->size);
  if (type->named)
    r = copy_text(to, from, err);
  for (size_t i = 0; i < type->n_fields && r == 0; i++)
    r = copy_field(&type->fields[i], to, from, err);
  return r;
}

static bool is_default_struct(const struct zl_type *type, const void *object)
{
  for (size_t i = 0; i < type->n_fields; i++)
    if (!zl_field_is_default(&type->fields[i], object))
      return false;
  return true;
}

static bool is_default_text(const struct zl_field *field, const void *slot)
{
  const char *text = zl_pointer_get(slot);

  if (text == NULL || field->fallback == NULL)
    return text == NULL && field->fallback == NULL;
  return strcmp(text, field->fallback) == 0;
}

/* Plain members: the default is parsed into a scratch word beside which nothing else is kept. */
static bool is_default_value(const struct zl_field *field, const void *object)
{
  struct zl_field alone = *field;
  uint64_t word = 0;

  if (field->has != 0)
    return !zl_field_is_set(field, object);
  alone.offset = 0;
  alone.has = 0;
  if (field->fallback != NULL && zl_value_parse(&alone, field->fallback, &word, NULL) < 0)
    return false;
  return memcmp(&word, zl_slot_const(field, object), field->size) == 0;
}

/* An atom of no text is all zero, which is its default. */
static bool is_default_atom(const struct zl_field *field, const void *slot)
{
  const struct zl_field *first = &field->type->fields[0];

  return zl_int_get(first, slot) == 0;
}

bool zl_field_is_default(const struct zl_field *field, const void *object)
{
  const void *slot = zl_slot_const(field, object);

  switch (field->kind) {
  case ZL_KIND_TEXT:
    return is_default_text(field, slot);
  case ZL_KIND_LIST:
    return zl_strv_len((const char *const *)zl_pointer_get(slot)) == 0;
  case ZL_KIND_PAIRS:
    return ((const struct zl_pairs *)slot)->count == 0;
  case ZL_KIND_ATOM:
    return is_default_atom(field, slot);
  case ZL_KIND_STRUCT:
    return is_default_struct(field->type, slot);
  case ZL_KIND_OPTIONAL:
    return zl_pointer_get(slot) == NULL;
  case ZL_KIND_ARRAY:
  case ZL_KIND_MAP:
    return zl_field_count(field, object) == 0;
  default:
    return is_default_value(field, object);
  }
}
