/* SPDX-License-Identifier: Apache-2.0
 *
 * cosign's signatures: a layer that holds a simple signing payload, with the signature over its
 * bytes in an annotation. Pure.
 */
#ifndef ZL_IMAGE_COSIGN_H
#define ZL_IMAGE_COSIGN_H

#include <zlayer/error.h>

#include "base/digest.h"
#include "base/signature.h"

#define ZL_MT_COSIGN_PAYLOAD "application/vnd.dev.cosign.simplesigning.v1+json"
/* What the manifest of a signature is called where it is a referrer, not a tag. */
#define ZL_AT_COSIGN         "application/vnd.dev.cosign.artifact.sig.v1+json"
#define ZL_COSIGN_SIGNATURE  "dev.cosignproject.cosign/signature"

/* What a payload says is signed. */
struct zl_cosign_claim {
  char digest[ZL_DIGEST_TEXT]; /* of the manifest */
  char *registry, *repository; /* in whose name; "docker.io", "library/busybox" */
  char *tag;                   /* or NULL: any */
};
void zl_cosign_claim_done(struct zl_cosign_claim *claim);
#define zl_autoclaim ZL_CLEANUP(zl_cosign_claim_done) struct zl_cosign_claim

/* Strict: other members of `critical`, another type, a digest or name that is none: ZL_E_AUTH. */
int zl_cosign_claim_parse(const char *payload, size_t len, struct zl_cosign_claim *ret,
                          struct zl_error *err);

/* Whether `signature` (base64) is the key's, of the payload. Only then read the payload. */
int zl_cosign_verify(const struct zl_pubkey *key, const char *payload, size_t len,
                     const char *signature, struct zl_error *err);

#endif
