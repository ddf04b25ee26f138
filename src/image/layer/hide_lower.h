/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_IMAGE_LAYER_HIDE_LOWER_H
#define ZL_IMAGE_LAYER_HIDE_LOWER_H

#include <zlayer/error.h>

#include "image/layer/lower.h"

/* Makes the root of the layer opaque. overlayfs knows no such mark for the root of a layer, so each
 * name that the layers below have there is hidden by itself: by a whiteout, or by a mark on the
 * layer's own directory of that name. Idempotent. */
int zl_hide_lower(const struct zl_lower *lower, struct zl_error *err);

/* Marks the directory (dirfd, path), reached without any link, as hiding those below it. */
int zl_mark_opaque(int dirfd, const char *path, struct zl_error *err);

#endif
