/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_IMAGE_LAYER_TAR_WRITE_H
#define ZL_IMAGE_LAYER_TAR_WRITE_H

#include <zlayer/error.h>

#include "base/buf.h"
#include "image/layer/sink.h"

/* Appends the headers of a member: ustar, and before it PAX records for what does not fit into its
 * fields. The same entry gives the same bytes. For a file entry->size bytes of content must follow,
 * and zl_tar_padding of them. */
int zl_tar_write_entry(struct zl_buf *out, const struct zl_layer_entry *entry,
                       struct zl_error *err);
/* Zeros up to the next block. */
size_t zl_tar_padding(uint64_t size);

#endif
