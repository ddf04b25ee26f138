/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a Windows layer is made: for who makes it (layer_maker.c).
 */
#ifndef ZL_IMAGE_WIN32_STAGING_H
#define ZL_IMAGE_WIN32_STAGING_H

#include "image/layer_store.h"

/* Makes the layer's directory, empty, under its key, which is held exclusively and not published;
 * what was left there goes first. staging->tree_fd is that directory from now on. */
int zl_staging_place(int layers_fd, struct zl_staging *staging, const char *key,
                     struct zl_error *err);

#endif
