/* SPDX-License-Identifier: Apache-2.0
 *
 * notation's signatures (Notary Project): a JWS envelope with the signer's certificates. Pure but
 * for the clock.
 */
#ifndef ZL_IMAGE_NOTATION_H
#define ZL_IMAGE_NOTATION_H

#include <zlayer/error.h>

#include "base/digest.h"
#include "base/signature.h"

#define ZL_AT_NOTATION "application/vnd.cncf.notary.signature"
#define ZL_MT_JWS      "application/jose+json"
#define ZL_MT_COSE     "application/cose"

struct zl_notation_claim {
  char digest[ZL_DIGEST_TEXT]; /* of the manifest */
  uint64_t until;              /* second since 1970 at which the signature or a certificate ends */
};

/* The envelope is verified: its certificates lead to `trust` today, the first one's key is of the
 * algorithm that it names and has signed it, and nothing critical in it is unknown. ZL_E_AUTH says
 * what is wrong. Scheme notary.x509 only; time stamps are not read, so expired certificates are
 * refused. */
int zl_notation_verify(const struct zl_trust *trust, const char *envelope, size_t len,
                       struct zl_notation_claim *ret, struct zl_error *err);

#endif
