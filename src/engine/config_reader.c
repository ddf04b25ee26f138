/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "engine/config_private.h"

enum {
  BLOCK_SIZE = 8 << 10 /* a usual configuration takes one or two */
};

struct zl_arena_block {
  struct zl_arena_block *next;
  size_t used, size;
  _Alignas(max_align_t) char data[];
};

void *zl_arena_alloc(struct zl_arena *arena, size_t size)
{
  struct zl_arena_block *block = arena->head;
  size_t want;
  void *p;

  if (__builtin_add_overflow(size, _Alignof(max_align_t) - 1, &want))
    return NULL;
  want &= ~(_Alignof(max_align_t) - 1);
  if (block == NULL || block->size - block->used < want) {
    size_t room = want > BLOCK_SIZE ? want : BLOCK_SIZE;

    block = calloc(1, sizeof(*block) + room);
    if (block == NULL)
      return NULL;
    block->size = room;
    block->next = arena->head;
    arena->head = block;
  }
  p = block->data + block->used;
  block->used += want;
  return p;
}

void zl_arena_done(struct zl_arena *arena)
{
  struct zl_arena_block *block = arena->head;

  while (block != NULL) {
    struct zl_arena_block *next = block->next;

    free(block);
    block = next;
  }
}

const char *zl_config_path(char text[ZL_CONFIG_PATH], const char *path, const char *key, int index)
{
  const char *dot = *path != '\0' ? "." : "";

  if (index < 0)
    (void)snprintf(text, ZL_CONFIG_PATH, "%s%s%s", path, dot, key);
  else
    (void)snprintf(text, ZL_CONFIG_PATH, "%s%s%s[%d]", path, dot, key, index);
  return text;
}

static char *copy_text(struct zl_config_reader *rd, const char *text)
{
  size_t size = strlen(text) + 1;
  char *copy = zl_arena_alloc(rd->arena, size);

  return copy != NULL ? memcpy(copy, text, size) : NULL;
}

int zl_config_copy(struct zl_config_reader *rd, const char *text, const char **ret)
{
  const char *copy = copy_text(rd, text);

  if (copy == NULL)
    return zl_fail_nomem(rd->err, "configuration");
  *ret = copy;
  return 0;
}

int zl_config_rooted(struct zl_config_reader *rd, const char *text, const char **ret)
{
  char *copy;

  if (*text == '/') {
    *ret = text;
    return 0;
  }
  copy = zl_arena_alloc(rd->arena, strlen(text) + 2);
  if (copy == NULL)
    return zl_fail_nomem(rd->err, "configuration");
  copy[0] = '/';
  (void)stpcpy(copy + 1, text);
  *ret = copy;
  return 0;
}

int zl_config_string(struct zl_config_reader *rd, const json_t *object, const char *path,
                     const char *key, const char **ret)
{
  const char *text = NULL;
  int r = zl_json_get_string(object, path, key, &text, rd->err);

  if (r < 0)
    return r;
  if (text != NULL)
    return zl_config_copy(rd, text, ret);
  *ret = NULL;
  return 0;
}

int zl_config_required(struct zl_config_reader *rd, const json_t *object, const char *path,
                       const char *key, const char **ret)
{
  char at[ZL_CONFIG_PATH];
  const char *text = NULL;
  int r = zl_config_string(rd, object, path, key, &text);

  if (r < 0)
    return r;
  if (text == NULL || *text == '\0')
    return zl_fail(rd->err, ZL_E_INVALID, 0, "%s: must be given and not be empty",
                   zl_config_path(at, path, key, -1));
  *ret = text;
  return 0;
}

int zl_config_required_u32(struct zl_config_reader *rd, const json_t *object, const char *path,
                           const char *key, uint32_t max, uint32_t *ret)
{
  char at[ZL_CONFIG_PATH];
  int64_t value;
  int r = zl_json_get_int(object, path, key, 0, max, -1, &value, rd->err);

  if (r < 0)
    return r;
  if (value < 0)
    return zl_fail(rd->err, ZL_E_INVALID, 0, "%s: must be given",
                   zl_config_path(at, path, key, -1));
  *ret = (uint32_t)value;
  return 0;
}

int zl_config_strv(struct zl_config_reader *rd, const json_t *object, const char *path,
                   const char *key, size_t max, char ***ret)
{
  char at[ZL_CONFIG_PATH];
  json_t *array;
  size_t n;
  char **list;
  int r = zl_json_get_array(object, path, key, max, &array, rd->err);

  if (r < 0)
    return r;
  n = array != NULL ? json_array_size(array) : 0;
  list = zl_arena_alloc(rd->arena, (n + 1) * sizeof(*list));
  if (list == NULL)
    return zl_fail_nomem(rd->err, "configuration");
  for (size_t i = 0; i < n; i++) {
    const char *text = json_string_value(json_array_get(array, i));

    if (text == NULL)
      return zl_fail(rd->err, ZL_E_INVALID, 0, "%s: expected a string",
                     zl_config_path(at, path, key, (int)i));
    list[i] = copy_text(rd, text);
    if (list[i] == NULL)
      return zl_fail_nomem(rd->err, "configuration");
  }
  *ret = list;
  return 0;
}

int zl_config_word(struct zl_config_reader *rd, const struct zl_config_word *words, size_t n,
                   const char *text, const char *at, uint32_t *ret)
{
  for (size_t i = 0; i < n; i++)
    if (strcmp(words[i].name, text) == 0) {
      *ret = words[i].value;
      return 0;
    }
  return zl_fail(rd->err, ZL_E_INVALID, 0, "%s: '%.60s' is not known", at, text);
}

int zl_config_flags(struct zl_config_reader *rd, const json_t *object, const char *path,
                    const struct zl_config_word *words, size_t n, uint32_t *ret)
{
  char at[ZL_CONFIG_PATH];
  char **list = NULL;
  int r = zl_config_strv(rd, object, path, "flags", n, &list);

  for (int i = 0; r == 0 && list != NULL && list[i] != NULL; i++) {
    uint32_t flag = 0;

    r = zl_config_word(rd, words, n, list[i], zl_config_path(at, path, "flags", i), &flag);
    *ret |= flag;
  }
  return r;
}

int zl_config_items(struct zl_config_reader *rd, const json_t *object, const char *path,
                    const char *key, size_t max, size_t size, zl_config_item_fn fn,
                    void **ret_items, size_t *ret_n)
{
  char at[ZL_CONFIG_PATH];
  json_t *array;
  size_t n;
  char *items = NULL;
  int r = zl_json_get_array(object, path, key, max, &array, rd->err);

  if (r < 0)
    return r;
  n = array != NULL ? json_array_size(array) : 0;
  if (n > 0) {
    items = zl_arena_alloc(rd->arena, n * size);
    if (items == NULL)
      return zl_fail_nomem(rd->err, "configuration");
  }
  for (size_t i = 0; i < n; i++) {
    const json_t *item = json_array_get(array, i);

    (void)zl_config_path(at, path, key, (int)i);
    if (!json_is_object(item))
      return zl_fail(rd->err, ZL_E_INVALID, 0, "%s: expected an object", at);
    r = fn(rd, item, at, items + i * size);
    if (r < 0)
      return r;
  }
  *ret_items = items;
  *ret_n = n;
  return 0;
}

int zl_config_pairs(struct zl_config_reader *rd, const json_t *object, const char *path,
                    const char *key, size_t max, const struct zl_key_value **ret, size_t *ret_n)
{
  char at[ZL_CONFIG_PATH];
  struct zl_key_value *pairs, *next;
  json_t *map, *value;
  const char *name;
  int r = zl_json_get_object(object, path, key, &map, rd->err);

  if (r < 0)
    return r;
  (void)zl_config_path(at, path, key, -1);
  if (json_object_size(map) > max)
    return zl_fail(rd->err, ZL_E_LIMIT, 0, "%s: %zu members, the limit is %zu", at,
                   json_object_size(map), max);
  next = pairs = zl_arena_alloc(rd->arena, json_object_size(map) * sizeof(*pairs));
  if (pairs == NULL)
    return zl_fail_nomem(rd->err, "configuration");
  json_object_foreach (map, name, value) {
    if (!json_is_string(value))
      return zl_fail(rd->err, ZL_E_INVALID, 0, "%s.%s: expected a string", at, name);
    r = zl_config_copy(rd, name, &next->key);
    if (r == 0)
      r = zl_config_copy(rd, json_string_value(value), &next->value);
    if (r < 0)
      return r;
    next++;
  }
  *ret = pairs;
  *ret_n = (size_t)(next - pairs);
  return 0;
}

static bool says_nothing(const json_t *value)
{
  return value == NULL || json_is_null(value) ||
         (json_is_string(value) && json_string_length(value) == 0) ||
         (json_is_object(value) && json_object_size(value) == 0) ||
         (json_is_array(value) && json_array_size(value) == 0);
}

int zl_config_refuse(struct zl_config_reader *rd, const json_t *object, const char *path,
                     const char *const *keys, size_t n)
{
  char at[ZL_CONFIG_PATH];

  for (size_t i = 0; i < n; i++)
    if (!says_nothing(json_object_get(object, keys[i])))
      return zl_fail(rd->err, ZL_E_UNSUPPORTED, 0, "%s: not supported",
                     zl_config_path(at, path, keys[i], -1));
  return 0;
}
