/* SPDX-License-Identifier: Apache-2.0
 *
 * Paths as layer archives write them.
 */
#ifndef ZL_IMAGE_LAYER_LAYER_PATH_H
#define ZL_IMAGE_LAYER_LAYER_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <zlayer/error.h>

#include "base/limits.h"

enum {
  ZL_LAYER_PATH = ZL_MAX_LAYER_PATH + 1,
  ZL_LAYER_QUOTE = 160
};

/* The path relative to the layer's root, without "", "." and ".." components: "/a/./b/../c/" is
 * "a/c", the root itself is "", and ".." of the root is the root, as in every file system.
 * *ret_climbs (may be NULL): the text held a "..". Length, depth and names are bounded
 * (ZL_E_LIMIT).
 */
int zl_layer_path_clean(const char *raw, char out[ZL_LAYER_PATH], bool *ret_climbs,
                        struct zl_error *err);

/* Of a clean path: the length of the part in front of the last name; 0 in the root. */
size_t zl_layer_path_parent(const char *path);
/* Of a clean path: its last name. */
const char *zl_layer_path_name(const char *path);

/* For messages: printable ASCII, long texts shortened. Returns `out`. */
const char *zl_layer_quote(const char *text, char out[ZL_LAYER_QUOTE]);

#endif
