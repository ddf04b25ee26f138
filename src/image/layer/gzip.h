/* SPDX-License-Identifier: Apache-2.0
 *
 * The gzip container: members with header, deflate data, CRC-32 and length. The deflate data itself
 * is decoded by one of the engines; header and trailer are ours, so that all engines refuse the
 * same things.
 */
#ifndef ZL_IMAGE_LAYER_GZIP_H
#define ZL_IMAGE_LAYER_GZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "image/layer/decoder.h"

enum {
  ZL_INFLATE_REST = 8
};

/* A raw deflate decoder. */
struct zl_inflate_ops {
  const char *name;
  int (*open)(void **ret_state, struct zl_error *err);
  /* Ready for another stream. Cannot fail. */
  void (*reset)(void *state);
  /* Decodes until input or output is used up, or the stream ends (*ret_end). An engine may have
   * read past the end: it then gives those bytes back in rest[0 .. *ret_rest). */
  int (*run)(void *state, struct zl_decoder_io *io, bool *ret_end, uint8_t rest[ZL_INFLATE_REST],
             size_t *ret_rest, struct zl_error *err);
  uint32_t (*crc)(uint32_t crc, const uint8_t *bytes, size_t len);
  void (*free)(void *state);
};

#ifdef ZL_HAVE_ISAL
extern const struct zl_inflate_ops zl_inflate_isal;
#endif
extern const struct zl_inflate_ops zl_inflate_zlib;

/* The gzip decoder with that engine, or the fastest; NULL when it is not built in. */
const struct zl_decoder_ops *zl_gzip_find(const char *engine);

#endif
