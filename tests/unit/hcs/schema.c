/* SPDX-License-Identifier: Apache-2.0 */
#include "schema.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema_match.h"
#include "schema_tables.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
  NEWEST_MINOR = 1
};

struct walk {
  char *why;
  size_t size;
};

static int fail(const struct walk *w, const char *path, const char *what)
{
  (void)snprintf(w->why, w->size, "%s: %s", path, what);
  return 0;
}

static bool knows_value(const char *type, const char *name)
{
  for (size_t i = 0; i < COUNT(values); i++)
    if (strcmp(values[i].type, type) == 0 && strcmp(values[i].name, name) == 0)
      return true;
  return false;
}

static int check_text(const struct walk *w, const json_t *value, const char *type, const char *path)
{
  if (!json_is_string(value) || json_string_length(value) == 0)
    return fail(w, path, "no text, or an empty one");
  return type == NULL || knows_value(type, json_string_value(value))
             ? 1
             : fail(w, path, "not a value of its enum");
}

static int check_guid(const struct walk *w, const json_t *value, const char *path)
{
  const char *text = json_string_value(value);

  if (text == NULL || strlen(text) != GUID_LEN)
    return fail(w, path, "no GUID");
  return schema_is_guid(text, GUID_LOWER) ? 1 : fail(w, path, "no GUID in lower case");
}

static int check_number(const struct walk *w, const json_t *value, unsigned bits, const char *path)
{
  json_int_t number = json_integer_value(value);

  if (!json_is_integer(value) || number <= 0)
    return fail(w, path, "no number above 0");
  return bits >= 63 || number >> bits == 0 ? 1 : fail(w, path, "too large for its type");
}

static int check_object(const struct walk *w, const json_t *object, const char *type,
                        const char *path);

/* Each entry of an array, or each member of a map. */
static int check_each(const struct walk *w, const json_t *value, const struct field *f,
                      const char *path)
{
  char place[1024];
  size_t count = json_is_array(value) ? json_array_size(value) : 0;

  if (!json_is_array(value) || count == 0)
    return fail(w, path, "no array, or an empty one");
  for (size_t i = 0; i < count; i++) {
    const json_t *item = json_array_get(value, i);
    int good;

    (void)snprintf(place, sizeof(place), "%s[%zu]", path, i);
    if (f->kind == OBJECTS)
      good = check_object(w, item, f->type, place);
    else if (f->kind == TEXTS)
      good = check_text(w, item, f->type, place);
    else
      good = check_number(w, item, f->bits, place);
    if (!good)
      return 0;
  }
  return 1;
}

static int check_map(const struct walk *w, const json_t *value, const struct field *f,
                     const char *path)
{
  char place[1024];
  void *it;

  if (!json_is_object(value) || json_object_size(value) == 0)
    return fail(w, path, "no object, or an empty one");
  /* json_object_foreach wants a json_t that is not const. */
  for (it = json_object_iter((json_t *)(uintptr_t)value); it != NULL;
       it = json_object_iter_next((json_t *)(uintptr_t)value, it)) {
    const json_t *item = json_object_iter_value(it);

    (void)snprintf(place, sizeof(place), "%s.%s", path, json_object_iter_key(it));
    if (!(f->kind == MAP ? check_object(w, item, f->type, place)
                         : check_text(w, item, NULL, place)))
      return 0;
  }
  return 1;
}

static int check_any(const struct walk *w, const json_t *value, const char *path)
{
  if (json_is_integer(value))
    return check_number(w, value, 64, path);
  return json_object_size(value) > 0 ? 1 : fail(w, path, "no object, or an empty one");
}

static int check_field(const struct walk *w, const json_t *value, const struct field *f,
                       const char *path)
{
  if (f->minor > NEWEST_MINOR)
    return fail(w, path, "newer than schema version 2.1");
  switch (f->kind) {
  case TEXT:
    return check_text(w, value, f->type, path);
  case GUID:
    return check_guid(w, value, path);
  case FLAG:
    return json_is_true(value) ? 1 : fail(w, path, "not true");
  case NUMBER:
    return check_number(w, value, f->bits, path);
  case OBJECT:
    return check_object(w, value, f->type, path);
  case OBJECTS:
  case TEXTS:
  case NUMBERS:
    return check_each(w, value, f, path);
  case MAP:
  case TEXT_MAP:
    return check_map(w, value, f, path);
  case ANY:
    return check_any(w, value, path);
  }
  return fail(w, path, "of a kind that is not known");
}

static const struct field *find(const char *object, const char *name)
{
  for (size_t i = 0; i < COUNT(fields); i++)
    if (strcmp(fields[i].object, object) == 0 && strcmp(fields[i].name, name) == 0)
      return &fields[i];
  return NULL;
}

static int check_object(const struct walk *w, const json_t *object, const char *type,
                        const char *path)
{
  const struct field *last = NULL;
  char place[1024];
  void *it;

  if (!json_is_object(object) || json_object_size(object) == 0)
    return fail(w, path, "no object, or an empty one");
  for (it = json_object_iter((json_t *)(uintptr_t)object); it != NULL;
       it = json_object_iter_next((json_t *)(uintptr_t)object, it)) {
    const struct field *f = find(type, json_object_iter_key(it));

    (void)snprintf(place, sizeof(place), "%s.%s", path, json_object_iter_key(it));
    if (f == NULL)
      return fail(w, place, "no such field");
    if (last != NULL && f < last)
      return fail(w, place, "not in the schema's order");
    if (!check_field(w, json_object_iter_value(it), f, place))
      return 0;
    last = f;
  }
  return 1;
}

int schema_check(const json_t *document, const char *type, char *why, size_t size)
{
  const struct walk walk = { why, size };

  return check_object(&walk, document, type, "$");
}

/* ---- Changes ---- */

const char *schema_of_path(const char *path)
{
  for (size_t i = 0; path != NULL && i < COUNT(paths); i++)
    if (schema_matches(paths[i].pattern, path, GUID_LOWER))
      return paths[i].type;
  return NULL;
}

const char *schema_of_resource(const char *resource)
{
  for (size_t i = 0; resource != NULL && i < COUNT(resources); i++)
    if (strcmp(resources[i].resource, resource) == 0)
      return resources[i].type;
  return NULL;
}
