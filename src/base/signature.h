/* SPDX-License-Identifier: Apache-2.0
 *
 * Signatures of others' making: public keys, certificates and what they have signed (OpenSSL's
 * libcrypto on Linux, loaded at first use as in digest.h; CNG on Windows, without Ed25519 and
 * certificates). Nothing here signs, and nothing here asks the network.
 */
#ifndef ZL_BASE_SIGNATURE_H
#define ZL_BASE_SIGNATURE_H

#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/cleanup.h"

struct zl_pubkey;

/* A PEM "PUBLIC KEY": ECDSA on P-256, P-384 or P-521, RSA of 2048 to 8192 bits, Ed25519. `what`
 * names it in errors. ZL_E_INVALID: no such thing. ZL_E_UNSUPPORTED: another kind of key, one
 * that this system has no functions for, or libcrypto is missing. */
int zl_pubkey_parse(const char *pem, size_t len, const char *what, struct zl_pubkey **ret,
                    struct zl_error *err);
void zl_pubkey_free(struct zl_pubkey *key);
ZL_DEFINE_CLEANUP(struct zl_pubkey, zl_pubkey_free)

/* How something was signed. The key alone decides which of them may be used. */
enum zl_signature_kind {
  ZL_SIGNED_BY_KEY, /* what the key is for: ECDSA (DER) or RSA PKCS#1 v1.5, with SHA-256; Ed25519 */
  ZL_SIGNED_JWS     /* RFC 7518 by the key's size: ES256, ES384, ES512, PS256, PS384, PS512 */
};

/* The JWS algorithm of the key: "ES256"; NULL: it has none. Static. */
const char *zl_pubkey_jws_name(const struct zl_pubkey *key);

/* 0: `signature` is the key's, of `data`. ZL_E_AUTH: it is not. */
int zl_pubkey_verify(const struct zl_pubkey *key, enum zl_signature_kind kind, const void *data,
                     size_t len, const void *signature, size_t signature_len, struct zl_error *err);

struct zl_trust; /* certificates that are trusted as they are, whoever issued them */

/* All the PEM certificates of a text, at least one. Errors as of zl_pubkey_parse. */
int zl_trust_parse(const char *pem, size_t len, const char *what, struct zl_trust **ret,
                   struct zl_error *err);
void zl_trust_free(struct zl_trust *trust);
ZL_DEFINE_CLEANUP(struct zl_trust, zl_trust_free)

struct zl_der {
  const void *data;
  size_t len;
};

/* Whether certs[0], with the others as its issuers, leads to a trusted certificate now, and may
 * sign code. *ret_key is its key, *ret_until the second (since 1970) at which the first certificate
 * of the chain ends. ZL_E_AUTH says what is wrong with it. */
int zl_trust_check(const struct zl_trust *trust, const struct zl_der *certs, size_t count,
                   struct zl_pubkey **ret_key, uint64_t *ret_until, struct zl_error *err);

#endif
