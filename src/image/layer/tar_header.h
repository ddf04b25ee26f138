/* SPDX-License-Identifier: Apache-2.0
 *
 * One 512-byte header block, decoded.
 */
#ifndef ZL_IMAGE_LAYER_TAR_HEADER_H
#define ZL_IMAGE_LAYER_TAR_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

/* Offsets of the fields that only sparse members of old GNU tar have. */
enum {
  ZL_TAR_SPARSE_AT = 386,
  ZL_TAR_SPARSE_IN_HEADER = 4,
  ZL_TAR_SPARSE_MORE_AT = 482,
  ZL_TAR_SPARSE_SIZE_AT = 483,
  ZL_TAR_SPARSE_IN_BLOCK = 21,
  ZL_TAR_SPARSE_BLOCK_MORE_AT = 504
};

struct zl_tar_header {
  char type;
  char name[257]; /* prefix joined */
  char link[101];
  uint32_t mode, uid, gid, major, minor;
  uint64_t size;
  int64_t mtime;
};

/* True for a block of zeros: the end mark is two of them. */
bool zl_tar_is_zero(const uint8_t *block);

/* Checks the checksum and decodes. ZL_E_CORRUPT. */
int zl_tar_header_parse(const uint8_t *block, struct zl_tar_header *ret, struct zl_error *err);

/* An octal or base-256 field within 0..INT64_MAX. */
bool zl_tar_number(const uint8_t *field, size_t len, uint64_t *ret);

#endif
