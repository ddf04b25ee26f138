/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_IMAGE_LAYER_KIND_H
#define ZL_IMAGE_LAYER_KIND_H

#include <zlayer/error.h>

#include "image/layer_store.h"
#include "image/store_internal.h"

/* Which kind of layers a pull makes: EROFS images where this node can run containers from them,
 * else directories; or what the node's setting says (layer_wish.h). Tries what the kernel can do.
 * ZL_E_UNSUPPORTED: EROFS was asked for and does not work here; ZL_E_INVALID: the setting. */
int zl_layer_kind_choose(struct zl_image_store *store, enum zl_layer_kind *ret,
                         struct zl_error *err);

#endif
