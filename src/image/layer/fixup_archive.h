/* SPDX-License-Identifier: Apache-2.0
 *
 * What an image takes from the layers below it, as an archive for the child that makes the image:
 * the attributes of directories that its own archive uses without containing them, the files that
 * it links to, and whiteouts for the names that an opaque root hides. The counterpart for
 * directories is fixup.h, and what that says about keys holds here as well.
 */
#ifndef ZL_IMAGE_LAYER_FIXUP_ARCHIVE_H
#define ZL_IMAGE_LAYER_FIXUP_ARCHIVE_H

#include <stddef.h>
#include <zlayer/error.h>

#include "image/layer/tar_object.h"

/* lower_fds: the trees of the layers below, nearest first. `fixup` is the text of
 * zl_unpack_result. ZL_E_CORRUPT: the target of a hard link is in no layer, or cannot be linked. */
int zl_fixup_archive(const int *lower_fds, size_t n_lower, const char *fixup,
                     const struct zl_byte_sink *to, struct zl_error *err);

#endif
