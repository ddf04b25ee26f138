/* SPDX-License-Identifier: Apache-2.0
 *
 * Which images need a signature: `signatures` in config.yaml.
 *
 *   signatures:
 *     - {prefix: registry.example.com/prod, key: /etc/zlayer/cosign.pub}
 *     - {prefix: registry.example.com/prod/tests, accept: unsigned}
 *     - {prefix: registry.example.com/notary, format: notation, cert: /etc/zlayer/notary-ca.pem}
 *     - {prefix: "oci-archive:/srv/images", key: /etc/zlayer/cosign.pub, identity:
 * registry.example.com/prod}
 *
 * The longest prefix decides. A prefix is "host[:port][/path]", compared by whole components of the
 * repository (case and the ports 80 and 443 of the host make no difference); "oci:", "oci-archive:"
 * or "docker-archive:" with an absolute path or none, for local files; or "*", for everything.
 */
#ifndef ZL_IMAGE_POLICY_CONFIG_H
#define ZL_IMAGE_POLICY_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <zlayer/error.h>

#include "base/cleanup.h"
#include "spec/imageref.h"

struct zl_at;
struct zl_spec_ctx;

enum zl_signature_format {
  ZL_SIGNATURE_COSIGN,  /* simple signing payloads, a public key */
  ZL_SIGNATURE_NOTATION /* JWS envelopes, a certificate to which theirs lead */
};

struct zl_policy_rule {
  char *prefix;
  bool accept_unsigned; /* and nothing below */
  enum zl_signature_format format;
  char **files; /* PEM: public keys (cosign) or trusted certificates (notation); any one will do */
  char *identity; /* cosign: the repository that signatures have to name, or what theirs begins
                     with; NULL: the reference's own */
};

struct zl_policy {
  struct zl_policy_rule *rules;
  size_t count;
};

/* Reads the value of `signatures`; reports what is wrong. */
void zl_policy_read(struct zl_spec_ctx *ctx, const struct zl_at *at, struct zl_policy *ret);
void zl_policy_done(struct zl_policy *policy);

/* The rule for a reference; NULL: none. Pure. */
const struct zl_policy_rule *zl_policy_find(const struct zl_policy *policy,
                                            const struct zl_image_ref *ref);
/* Whether "host/repository" is the prefix or below it, as above. Pure. */
bool zl_policy_covers(const char *prefix, const char *registry, const char *repository);

enum {
  ZL_POLICY_PRINT = 65
};
/* What a signature was checked against, as a text: another rule, or another key in its file, has
 * another one. Reads the files. ZL_E_NOT_FOUND and others name rule and file. */
int zl_policy_print(const struct zl_policy_rule *rule, char ret[ZL_POLICY_PRINT],
                    struct zl_error *err);

#endif
