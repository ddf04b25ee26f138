/* SPDX-License-Identifier: Apache-2.0
 *
 * Which bytes of a blob are there, and which to ask for next. A blob is cut into pieces of one
 * size; a piece is filled from its start, by one request at a time. Pure: no file, no lock.
 */
#ifndef ZL_IMAGE_PARTIAL_MAP_H
#define ZL_IMAGE_PARTIAL_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

enum {
  ZL_PIECE_BYTES = 8 << 20,
  ZL_PARALLEL_BYTES = 16 << 20 /* with less than that left, one request takes all of it */
};

struct zl_partial_map {
  uint64_t size;
  size_t count;   /* of pieces */
  uint32_t *have; /* of each piece: bytes from its start that are there */
  bool *taken;    /* of each piece: some request is filling it */
};

/* A span of bytes of the blob, `end` excluded. */
struct zl_span {
  uint64_t first, end;
};

/* Nothing is there yet. ZL_E_LIMIT: the blob has more pieces than ZL_MAX_BLOB_PIECES. */
int zl_partial_map_init(struct zl_partial_map *map, uint64_t size, struct zl_error *err);
void zl_partial_map_done(struct zl_partial_map *map);

/* The bytes of piece `i`: the blob's last piece may be shorter. */
uint32_t zl_partial_piece_bytes(const struct zl_partial_map *map, size_t i);
/* Bytes that are there, of the whole blob. */
uint64_t zl_partial_map_total(const struct zl_partial_map *map);
/* The first byte at or after `from` that is not there; the blob's size when all of them are. */
uint64_t zl_partial_map_ready(const struct zl_partial_map *map, uint64_t from);

/* What to ask for next, now taken. `whole`: the server sends no parts, so that the span reaches to
 * the blob's end and bytes that are there already will come again; only for a sole request. False:
 * everything is there or taken. */
bool zl_partial_map_take(struct zl_partial_map *map, bool whole, struct zl_span *ret);
/* A request for `span` has ended: what it did not fill may be taken again. */
void zl_partial_map_give(struct zl_partial_map *map, const struct zl_span *span);

#endif
