/* SPDX-License-Identifier: Apache-2.0 */
#include "image/erofs/link_map.h"

#include <stdbool.h>
#include <stdlib.h>

enum {
  FIRST_SLOTS = 256
};

struct zl_link_slot {
  dev_t dev;
  ino_t ino;
  uint32_t value;
  bool used;
};

void zl_link_map_done(struct zl_link_map *map)
{
  free(map->slots);
  *map = (struct zl_link_map){ 0 };
}

static struct zl_link_slot *slot_of(struct zl_link_slot *slots, size_t cap, dev_t dev, ino_t ino)
{
  size_t at = (size_t)((ino * UINT64_C(0x9e3779b97f4a7c15)) >> 32 ^ dev) & (cap - 1);

  while (slots[at].used && (slots[at].dev != dev || slots[at].ino != ino))
    at = (at + 1) & (cap - 1);
  return &slots[at];
}

static int grow(struct zl_link_map *map, struct zl_error *err)
{
  size_t cap = map->cap == 0 ? FIRST_SLOTS : map->cap * 2;
  struct zl_link_slot *slots;

  if (map->n * 2 < map->cap)
    return 0;
  slots = calloc(cap, sizeof(*slots));
  if (slots == NULL)
    return zl_fail_nomem(err, "hard links");
  for (size_t i = 0; i < map->cap; i++)
    if (map->slots[i].used)
      *slot_of(slots, cap, map->slots[i].dev, map->slots[i].ino) = map->slots[i];
  free(map->slots);
  map->slots = slots;
  map->cap = cap;
  return 0;
}

int zl_link_map_find(struct zl_link_map *map, const struct stat *st, uint32_t **ret,
                     struct zl_error *err)
{
  struct zl_link_slot *slot;
  int r = grow(map, err);

  if (r < 0)
    return r;
  slot = slot_of(map->slots, map->cap, st->st_dev, st->st_ino);
  if (!slot->used) {
    *slot = (struct zl_link_slot){ .dev = st->st_dev, .ino = st->st_ino, .used = true };
    map->n++;
  }
  *ret = &slot->value;
  return 0;
}
