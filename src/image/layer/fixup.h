/* SPDX-License-Identifier: Apache-2.0
 *
 * What an unpacked layer can only take from the layers below it: the attributes of directories that
 * its archive uses without containing them, hard links to files that a lower layer holds, and the
 * names that an opaque root hides.
 *
 * A layer that needed this (zl_unpack_result.fixup != NULL) is no longer a function of its diff id
 * alone: store it under its chain id, never under the diff id.
 */
#ifndef ZL_IMAGE_LAYER_FIXUP_H
#define ZL_IMAGE_LAYER_FIXUP_H

#include <stddef.h>
#include <zlayer/error.h>

/* layer_fd: the unpacked layer, not published yet. lower_fds: the layers below it, nearest first,
 * each fixed up already. All are O_RDONLY | O_DIRECTORY (or O_PATH) descriptors. `fixup` is the
 * text of zl_unpack_result; NULL does nothing. Directories found in no lower layer keep mode 0755
 * and owner 0:0. Blocks for the copying of linked files. Idempotent. ZL_E_CORRUPT: the target of a
 * hard link is in no layer, or cannot be linked. */
int zl_layer_fixup(int layer_fd, const int *lower_fds, size_t n_lower, const char *fixup,
                   struct zl_error *err);

#endif
