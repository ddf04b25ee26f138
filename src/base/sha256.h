/* SPDX-License-Identifier: Apache-2.0
 *
 * SHA-256 (FIPS 180-4) without libcrypto, for static programs that hash little: keys of files. What
 * has to be fast goes through base/digest.h.
 */
#ifndef ZL_BASE_SHA256_H
#define ZL_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum {
  ZL_SHA256_RAW = 32,
  ZL_SHA256_BLOCK = 64
};

struct zl_sha256 {
  uint32_t state[8];
  uint64_t bytes;
  uint8_t block[ZL_SHA256_BLOCK];
};

void zl_sha256_init(struct zl_sha256 *sha);
void zl_sha256_update(struct zl_sha256 *sha, const void *data, size_t len);
void zl_sha256_final(struct zl_sha256 *sha, uint8_t raw[ZL_SHA256_RAW]);

#endif
