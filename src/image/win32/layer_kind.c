/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer_kind.h"

#include "image/layer_wish.h"

int zl_layer_kind_choose(struct zl_image_store *store, enum zl_layer_kind *ret,
                         struct zl_error *err)
{
  enum zl_layer_wish wish;
  int r = zl_layer_wish_read(store->root_fd, store->root, &wish, err);

  if (r < 0)
    return r;
  if (wish == ZL_LAYER_WISH_EROFS)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0,
                   "layers: erofs: on Windows a layer is a directory: auto or directory");
  *ret = ZL_LAYER_KIND_WINDOWS;
  return 0;
}
