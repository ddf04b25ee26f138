/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/sparse.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "image/layer/pax.h"
#include "image/layer/tar_header.h"

enum {
  FIELD = 12,
  MAX_DIGITS = 19 /* of INT64_MAX */
};

void zl_sparse_clear(struct zl_sparse *map)
{
  map->n = 0;
  map->end = map->stored = 0;
}

void zl_sparse_done(struct zl_sparse *map)
{
  free(map->segments);
  *map = (struct zl_sparse){ 0 };
}

static int grow(struct zl_sparse *map, struct zl_error *err)
{
  size_t cap = map->cap == 0 ? 16 : map->cap * 2;
  struct zl_segment *segments;

  if (map->n >= ZL_MAX_TAR_SPARSE)
    return zl_fail(err, ZL_E_LIMIT, 0, "sparse file of more than %d segments", ZL_MAX_TAR_SPARSE);
  segments = reallocarray(map->segments, cap, sizeof(*segments));
  if (segments == NULL)
    return zl_fail_nomem(err, "map of a sparse file");
  map->segments = segments;
  map->cap = cap;
  return 0;
}

int zl_sparse_add(struct zl_sparse *map, uint64_t offset, uint64_t len, struct zl_error *err)
{
  if (offset < map->end || offset > INT64_MAX || len > INT64_MAX - offset)
    return zl_fail(err, ZL_E_CORRUPT, 0, "segments of a sparse file overlap or are out of range");
  if (map->n == map->cap) {
    int r = grow(map, err);

    if (r < 0)
      return r;
  }
  map->segments[map->n++] = (struct zl_segment){ .offset = offset, .len = len };
  map->end = offset + len;
  map->stored += len; /* <= end */
  return 0;
}

int zl_sparse_check(const struct zl_sparse *map, uint64_t size, uint64_t stored,
                    struct zl_error *err)
{
  if (map->end > size)
    return zl_fail(err, ZL_E_CORRUPT, 0, "a segment lies past the end of the sparse file");
  if (map->stored != stored)
    return zl_fail(err, ZL_E_CORRUPT, 0,
                   "the map of a sparse file promises other data than the archive holds");
  return 0;
}

int zl_sparse_add_fields(struct zl_sparse *map, const uint8_t *fields, size_t count,
                         struct zl_error *err)
{
  for (size_t i = 0; i < count; i++, fields += (size_t)2 * FIELD) {
    uint64_t offset, len;
    int r;

    if (fields[0] == '\0')
      break;
    if (!zl_tar_number(fields, FIELD, &offset) || !zl_tar_number(fields + FIELD, FIELD, &len))
      return zl_fail(err, ZL_E_CORRUPT, 0, "the map of a sparse file holds bad numbers");
    r = zl_sparse_add(map, offset, len, err);
    if (r < 0)
      return r;
  }
  return 0;
}

int zl_sparse_add_text(struct zl_sparse *map, const char *text, struct zl_error *err)
{
  while (*text != '\0') {
    uint64_t pair[2];

    for (int i = 0; i < 2; i++) {
      size_t len = strcspn(text, ",");

      if (!zl_pax_number(text, len, &pair[i]) || (i == 0 && text[len] != ','))
        return zl_fail(err, ZL_E_CORRUPT, 0, "GNU.sparse.map is not a list of number pairs");
      text += len + (text[len] == ',');
    }
    int r = zl_sparse_add(map, pair[0], pair[1], err);

    if (r < 0)
      return r;
  }
  return 0;
}

static int take_number(struct zl_sparse_reader *reader, struct zl_sparse *map, struct zl_error *err)
{
  int r;

  if (!reader->counted) {
    if (reader->value > ZL_MAX_TAR_SPARSE)
      return zl_fail(err, ZL_E_LIMIT, 0, "sparse file of more than %d segments", ZL_MAX_TAR_SPARSE);
    reader->counted = true;
    reader->expected = reader->value * 2;
    return reader->expected == 0;
  }
  reader->expected--;
  if (reader->expected % 2 != 0) {
    reader->offset = reader->value;
    return 0;
  }
  r = zl_sparse_add(map, reader->offset, reader->value, err);
  return r < 0 ? r : reader->expected == 0;
}

int zl_sparse_read(struct zl_sparse_reader *reader, struct zl_sparse *map, uint8_t byte,
                   struct zl_error *err)
{
  int r;

  if (byte >= '0' && byte <= '9' && reader->digits < MAX_DIGITS) {
    reader->value = reader->value * 10 + (uint64_t)(byte - '0');
    reader->digits++;
    return 0;
  }
  if (byte != '\n' || reader->digits == 0)
    return zl_fail(err, ZL_E_CORRUPT, 0, "the map of a sparse file is not a list of numbers");
  r = take_number(reader, map, err);
  reader->value = 0;
  reader->digits = 0;
  return r;
}
