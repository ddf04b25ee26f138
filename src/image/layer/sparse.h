/* SPDX-License-Identifier: Apache-2.0
 *
 * The map of a sparse member: which parts of the file are in the archive. The maps are attacker's
 * data that size allocations in other readers (CVE-2025-58183), so their number is bounded and each
 * segment is checked when it is added.
 */
#ifndef ZL_IMAGE_LAYER_SPARSE_H
#define ZL_IMAGE_LAYER_SPARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

struct zl_segment {
  uint64_t offset;
  uint64_t len;
};

struct zl_sparse {
  struct zl_segment *segments;
  size_t n, cap;
  uint64_t end;    /* of the last segment */
  uint64_t stored; /* sum of the lengths */
};

/* Forgets the segments, keeps the memory. */
void zl_sparse_clear(struct zl_sparse *map);
void zl_sparse_done(struct zl_sparse *map);

/* Appends. ZL_E_CORRUPT when it overlaps or precedes the last one; ZL_E_LIMIT. */
int zl_sparse_add(struct zl_sparse *map, uint64_t offset, uint64_t len, struct zl_error *err);

/* ZL_E_CORRUPT unless the segments lie within `size` and hold exactly `stored` bytes. */
int zl_sparse_check(const struct zl_sparse *map, uint64_t size, uint64_t stored,
                    struct zl_error *err);

/* Adds from `count` pairs of 12-byte fields, up to the first empty one (old GNU form). */
int zl_sparse_add_fields(struct zl_sparse *map, const uint8_t *fields, size_t count,
                         struct zl_error *err);

/* Adds from "offset,length,offset,length..." (PAX form 0.1). */
int zl_sparse_add_text(struct zl_sparse *map, const char *text, struct zl_error *err);

/* The map at the start of a member's data (PAX form 1.0): decimal lines, first the number of
 * segments, then offset and length of each. Fed byte by byte, because it may end anywhere. */
struct zl_sparse_reader {
  uint64_t value;    /* of the line being read */
  unsigned digits;   /* in it */
  uint64_t expected; /* numbers still to come, valid after the first line */
  uint64_t offset;   /* first half of a pair */
  bool counted;      /* the first line was read */
};

/* 1: the map is complete with this byte; 0: goes on. */
int zl_sparse_read(struct zl_sparse_reader *reader, struct zl_sparse *map, uint8_t byte,
                   struct zl_error *err);

#endif
