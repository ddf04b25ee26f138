/* SPDX-License-Identifier: Apache-2.0
 *
 * SHA-256 and SHA-512 behind one interface (OpenSSL's libcrypto on Linux, CNG on Windows), and the
 * textual form "sha256:<64 lower-case hex>". libcrypto is loaded at first use: programs that never
 * hash (run, exec, ps) do not pay for linking it.
 */
#ifndef ZL_BASE_DIGEST_H
#define ZL_BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <zlayer/error.h>

#include "base/cleanup.h"

enum zl_digest_alg {
  ZL_SHA256,
  ZL_SHA512
};

enum {
  ZL_DIGEST_RAW_MAX = 64,
  ZL_DIGEST_TEXT = 7 + 128 + 1
};

struct zl_hash; /* one running computation */

int zl_hash_new(enum zl_digest_alg alg, struct zl_hash **ret, struct zl_error *err);
void zl_hash_update(struct zl_hash *hash, const void *data, size_t len);
/* Ends the computation: text such as "sha256:…". The object can only be freed afterwards. */
int zl_hash_final(struct zl_hash *hash, char text[ZL_DIGEST_TEXT], struct zl_error *err);
void zl_hash_free(struct zl_hash *hash);
ZL_DEFINE_CLEANUP(struct zl_hash, zl_hash_free)
#define zl_autohash ZL_CLEANUP(zl_hash_freep) struct zl_hash *

/* True for exactly "sha256:" + 64 or "sha512:" + 128 lower-case hex digits: checked before a digest
 * is used as a file name or sent anywhere (CVE-2024-3727). `ret_alg` may be NULL. */
bool zl_digest_is_valid(const char *text, enum zl_digest_alg *ret_alg);

/* Writes the raw digest of `len` bytes, at most ZL_DIGEST_RAW_MAX, as text. */
void zl_digest_write(enum zl_digest_alg alg, const unsigned char *raw, size_t len,
                     char text[ZL_DIGEST_TEXT]);

/* The digest of one buffer. */
int zl_digest_of(enum zl_digest_alg alg, const void *data, size_t len, char text[ZL_DIGEST_TEXT],
                 struct zl_error *err);

#endif
