/* SPDX-License-Identifier: Apache-2.0
 *
 * Compression of layers. libz and libzstd are loaded at first use. The same content gives the same
 * bytes with the same library: no time, name or thread goes into them.
 */
#ifndef ZL_IMAGE_COMPRESS_H
#define ZL_IMAGE_COMPRESS_H

#include <zlayer/error.h>

#include "base/cleanup.h"
#include "image/layer/compression.h"
#include "image/layer/tar_object.h"

struct zl_compressor;

/* `to` is borrowed until the compressor is freed. ZL_E_UNSUPPORTED: no such library. */
int zl_compressor_new(enum zl_compression how, const struct zl_byte_sink *to,
                      struct zl_compressor **ret, struct zl_error *err);
int zl_compressor_write(struct zl_compressor *compressor, const void *data, size_t len,
                        struct zl_error *err);
/* The end of the data; nothing may be written afterwards. */
int zl_compressor_finish(struct zl_compressor *compressor, struct zl_error *err);
void zl_compressor_free(struct zl_compressor *compressor);
ZL_DEFINE_CLEANUP(struct zl_compressor, zl_compressor_free)

#endif
