/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether an image has the signature that the node's policy wants (policy_config.h).
 *
 * Signatures are looked for at every server that serves the image, mirrors included: nothing that
 * they say is believed before it is verified. cosign: the tag "sha256-<hex>.sig", then referrers.
 * notation: referrers. A server without the referrers API is asked for the tag "sha256-<hex>".
 */
#ifndef ZL_IMAGE_SIGNATURE_H
#define ZL_IMAGE_SIGNATURE_H

#include <zlayer/error.h>

#include "image/policy_config.h"
#include "image/source.h"

struct zl_signature_request {
  const struct zl_policy_rule *rule; /* wants a signature */
  const struct zl_image_ref *ref;
  struct zl_source *source;
  const char *digests[2]; /* of what the reference names and of the manifest: one signed will do;
                             the second may be NULL */
};

/* 0: one signature is valid until second *ret_until (since 1970; UINT64_MAX: no end). ZL_E_AUTH:
 * none is; the message names prefix, keys and what was wrong with the last one. ZL_E_REMOTE and
 * other errors of the source when none was found for that reason; ZL_E_INVALID and others when a
 * key cannot be read. */
int zl_signature_check(const struct zl_signature_request *request, uint64_t *ret_until,
                       struct zl_error *err);

#endif
