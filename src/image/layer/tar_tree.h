/* SPDX-License-Identifier: Apache-2.0
 *
 * A layer's tree as a layer archive again: the counterpart of unpacking.
 */
#ifndef ZL_IMAGE_LAYER_TAR_TREE_H
#define ZL_IMAGE_LAYER_TAR_TREE_H

#include <zlayer/error.h>

#include "image/layer/tar_object.h"

/* Writes the tree at tree_fd (a directory, or a mounted image) in the order of its names: overlay's
 * whiteouts and opaque marks as ".wh." entries, further names of a file as hard links. The tree's
 * own root is left out, since nothing keeps its attributes. Both kinds of a layer give the same
 * bytes. Nobody may change the tree meanwhile. ZL_E_UNSUPPORTED: a name that would be read as a
 * whiteout. ZL_E_LIMIT: nested too deep. */
int zl_tar_put_tree(int tree_fd, const struct zl_byte_sink *to, struct zl_error *err);

#endif
