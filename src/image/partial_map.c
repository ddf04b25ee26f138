/* SPDX-License-Identifier: Apache-2.0 */
#include "image/partial_map.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/limits.h"

int zl_partial_map_init(struct zl_partial_map *map, uint64_t size, struct zl_error *err)
{
  const uint64_t count = size / ZL_PIECE_BYTES + (size % ZL_PIECE_BYTES != 0 ? 1 : 0);

  *map = (struct zl_partial_map){ .size = size };
  if (count > ZL_MAX_BLOB_PIECES)
    return zl_fail(err, ZL_E_LIMIT, 0,
                   "a blob of %llu bytes is too large to be kept while it comes",
                   (unsigned long long)size);
  map->have = calloc((size_t)count + 1, sizeof(*map->have));
  map->taken = calloc((size_t)count + 1, sizeof(*map->taken));
  if (map->have == NULL || map->taken == NULL) {
    zl_partial_map_done(map);
    return zl_fail_nomem(err, "the pieces of a blob");
  }
  map->count = (size_t)count;
  return 0;
}

void zl_partial_map_done(struct zl_partial_map *map)
{
  zl_freep(&map->have);
  zl_freep(&map->taken);
  map->count = 0;
}

static uint64_t piece_start(size_t i)
{
  return (uint64_t)i * ZL_PIECE_BYTES;
}

uint32_t zl_partial_piece_bytes(const struct zl_partial_map *map, size_t i)
{
  const uint64_t left = map->size - piece_start(i);

  return left < ZL_PIECE_BYTES ? (uint32_t)left : ZL_PIECE_BYTES;
}

static bool is_full(const struct zl_partial_map *map, size_t i)
{
  return map->have[i] >= zl_partial_piece_bytes(map, i);
}

uint64_t zl_partial_map_total(const struct zl_partial_map *map)
{
  uint64_t total = 0;

  for (size_t i = 0; i < map->count; i++)
    total += map->have[i];
  return total;
}

uint64_t zl_partial_map_ready(const struct zl_partial_map *map, uint64_t from)
{
  size_t i = (size_t)(from / ZL_PIECE_BYTES);

  if (i >= map->count)
    return map->size;
  if (piece_start(i) + map->have[i] < from)
    return from;
  while (i < map->count && is_full(map, i))
    i++;
  return i < map->count ? piece_start(i) + map->have[i] : map->size;
}

/* Bytes that neither are there nor will come. */
static uint64_t missing(const struct zl_partial_map *map)
{
  uint64_t left = 0;

  for (size_t i = 0; i < map->count; i++)
    left += map->taken[i] ? 0 : zl_partial_piece_bytes(map, i) - map->have[i];
  return left;
}

bool zl_partial_map_take(struct zl_partial_map *map, bool whole, struct zl_span *ret)
{
  const bool large = missing(map) >= ZL_PARALLEL_BYTES;
  size_t i = 0, end;

  while (i < map->count && (map->taken[i] || is_full(map, i)))
    i++;
  if (i == map->count)
    return false;
  /* One request can go on over pieces of which nothing is there. */
  end = i + 1;
  while (end < map->count && (whole || (!large && !map->taken[end] && map->have[end] == 0)))
    end++;
  ret->first = piece_start(i) + map->have[i];
  ret->end = end < map->count ? piece_start(end) : map->size;
  for (; i < end; i++)
    map->taken[i] = true;
  return true;
}

void zl_partial_map_give(struct zl_partial_map *map, const struct zl_span *span)
{
  for (size_t i = (size_t)(span->first / ZL_PIECE_BYTES);
       i < map->count && piece_start(i) < span->end; i++)
    map->taken[i] = false;
}
