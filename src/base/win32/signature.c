/* SPDX-License-Identifier: Apache-2.0
 *
 * Signatures cannot be checked on Windows yet: a policy that asks for one refuses the image.
 */
#include "base/signature.h"

static int refuse(const char *what, struct zl_error *err)
{
  return zl_fail(err, ZL_E_UNSUPPORTED, 0, "%s: signatures cannot be checked on Windows yet", what);
}

int zl_pubkey_parse(const char *pem, size_t len, const char *what, struct zl_pubkey **ret,
                    struct zl_error *err)
{
  (void)pem;
  (void)len;
  (void)ret;
  return refuse(what, err);
}

void zl_pubkey_free(struct zl_pubkey *key)
{
  (void)key; /* there is none */
}

const char *zl_pubkey_jws_name(const struct zl_pubkey *key)
{
  (void)key;
  return NULL;
}

int zl_pubkey_verify(const struct zl_pubkey *key, enum zl_signature_kind kind, const void *data,
                     size_t len, const void *signature, size_t signature_len, struct zl_error *err)
{
  (void)key;
  (void)kind;
  (void)data;
  (void)len;
  (void)signature;
  (void)signature_len;
  return refuse("a signature", err);
}

int zl_trust_parse(const char *pem, size_t len, const char *what, struct zl_trust **ret,
                   struct zl_error *err)
{
  (void)pem;
  (void)len;
  (void)ret;
  return refuse(what, err);
}

void zl_trust_free(struct zl_trust *trust)
{
  (void)trust; /* there is none */
}

int zl_trust_check(const struct zl_trust *trust, const struct zl_der *certs, size_t count,
                   struct zl_pubkey **ret_key, uint64_t *ret_until, struct zl_error *err)
{
  (void)trust;
  (void)certs;
  (void)count;
  (void)ret_key;
  (void)ret_until;
  return refuse("a certificate", err);
}
