/* SPDX-License-Identifier: Apache-2.0
 *
 * Files with several names, by which a walk through a tree knows that it has met one before.
 */
#ifndef ZL_IMAGE_EROFS_LINK_MAP_H
#define ZL_IMAGE_EROFS_LINK_MAP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <zlayer/error.h>

struct zl_link_slot;

/* All zero: empty. */
struct zl_link_map {
  struct zl_link_slot *slots;
  size_t n, cap;
};

void zl_link_map_done(struct zl_link_map *map);
/* What the caller keeps of this file; 0 when it is new. Valid until the next call. */
int zl_link_map_find(struct zl_link_map *map, const struct stat *st, uint32_t **ret,
                     struct zl_error *err);

#endif
