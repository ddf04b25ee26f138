/* SPDX-License-Identifier: Apache-2.0
 *
 * Looking through the layers below as overlayfs will show them.
 */
#ifndef ZL_IMAGE_LAYER_LOWER_H
#define ZL_IMAGE_LAYER_LOWER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <zlayer/error.h>

struct zl_path_set;

struct zl_lower {
  int layer_fd; /* the layer on top: its opaque directories hide what is below; -1: see `opaque` */
  const struct zl_path_set *opaque; /* those directories, of a layer that cannot be looked into */
  const int *fds;                   /* nearest first */
  size_t n;
};

/* Opens (O_PATH, links not followed) the topmost object at the clean `path` below the layer: 1, or
 * 0 when there is none: absent, deleted by a whiteout, or hidden by something on the way. */
int zl_lower_find(const struct zl_lower *lower, const char *path, int *ret_fd,
                  struct zl_error *err);

/* True for a character device 0:0. */
bool zl_is_whiteout(const struct stat *st);

#endif
