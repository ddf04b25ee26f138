/* SPDX-License-Identifier: Apache-2.0
 *
 * The node's setting `layers: auto | erofs | directory` in ROOT/config.yaml (or
 * /etc/zlayer/config.yaml); $ZLAYER_LAYERS goes before it.
 */
#ifndef ZL_IMAGE_LAYER_WISH_H
#define ZL_IMAGE_LAYER_WISH_H

#include <stddef.h>
#include <zlayer/error.h>

enum zl_layer_wish {
  ZL_LAYER_WISH_AUTO,
  ZL_LAYER_WISH_EROFS,
  ZL_LAYER_WISH_DIRECTORY
};

/* The setting in a file's text; auto when it says nothing. ZL_E_INVALID names file and line. */
int zl_layer_wish_parse(const char *text, size_t len, const char *file_name,
                        enum zl_layer_wish *ret, struct zl_error *err);
/* That of the node at `root`. */
int zl_layer_wish_read(int root_fd, const char *root, enum zl_layer_wish *ret,
                       struct zl_error *err);

#endif
