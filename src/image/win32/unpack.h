/* SPDX-License-Identifier: Apache-2.0
 *
 * Decompressing and hashing a blob in the calling thread, for whoever takes the plain bytes.
 */
#ifndef ZL_IMAGE_WIN32_UNPACK_H
#define ZL_IMAGE_WIN32_UNPACK_H

#include "image/layer/unpack.h"

struct zl_unpack_target {
  /* The next plain bytes. */
  int (*put)(void *ctx, const void *data, size_t len, struct zl_error *err);
  /* All of them were given; fills in what it knows of *ret. */
  int (*end)(void *ctx, struct zl_unpack_result *ret, struct zl_error *err);
  void (*free)(void *ctx);
  void *ctx;
};

/* `target` is taken over, also on failure. */
int zl__unpack_new(enum zl_compression compression, enum zl_digest_alg diff_alg,
                   const struct zl_unpack_target *target, struct zl_unpack **ret,
                   struct zl_error *err);

#endif
