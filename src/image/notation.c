/* SPDX-License-Identifier: Apache-2.0 */
#include "image/notation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/strv.h"
#include "base/time.h"

#define PAYLOAD_TYPE "application/vnd.cncf.notary.payload.v1+json"
#define SCHEME       "notary.x509"
#define H_SCHEME     "io.cncf.notary.signingScheme"
#define H_EXPIRY     "io.cncf.notary.expiry"

/* The four texts of a flattened JWS, and the certificates in DER. */
struct envelope {
  json_t *root; /* owns the texts */
  const char *payload, *protected, *signature;
  struct zl_der certs[ZL_MAX_CHAIN];
  size_t n_certs;
};

static void envelope_done(struct envelope *e)
{
  for (size_t i = 0; i < e->n_certs; i++)
    free((void *)(uintptr_t)e->certs[i].data);
  zl_json_decref(&e->root);
}

/* RFC 7515: the URL's alphabet, no padding. A new buffer; NULL: not that. */
static char *decode_url(const char *text, size_t *ret_len)
{
  zl_autofree char *copy = strdup(text);

  if (copy == NULL || strpbrk(text, "+/=") != NULL)
    return NULL;
  for (char *p = copy; *p != '\0'; p++)
    if (*p == '-')
      *p = '+';
    else if (*p == '_')
      *p = '/';
  return zl_base64_decode(copy, ret_len);
}

static int get_text(const json_t *object, const char *path, const char *key, const char **ret,
                    struct zl_error *err)
{
  *ret = NULL;
  if (zl_json_get_string(object, path, key, ret, err) < 0)
    return -ZL_E_AUTH;
  return *ret != NULL ? 0 : zl_fail(err, ZL_E_AUTH, 0, "%s: '%s' is missing", path, key);
}

static int read_certs(const json_t *header, struct envelope *e, struct zl_error *err)
{
  const json_t *list = json_object_get(header, "x5c");

  if (!json_is_array(list) || json_array_size(list) == 0)
    return zl_fail(err, ZL_E_AUTH, 0, "the envelope has no certificates (x5c)");
  if (json_array_size(list) > ZL_MAX_CHAIN)
    return zl_fail(err, ZL_E_AUTH, 0, "the envelope has more than %d certificates", ZL_MAX_CHAIN);
  for (size_t i = 0; i < json_array_size(list); i++) {
    const char *text = json_string_value(json_array_get(list, i));
    char *der = text != NULL ? zl_base64_decode(text, &e->certs[i].len) : NULL;

    if (der == NULL)
      return zl_fail(err, ZL_E_AUTH, 0, "certificate %zu of the envelope is not base64", i);
    e->certs[i].data = der;
    e->n_certs = i + 1;
  }
  return 0;
}

static int read_envelope(const char *text, size_t len, struct envelope *e, struct zl_error *err)
{
  const json_t *header;

  if (zl_json_parse_upto(text, len, ZL_MAX_ENVELOPE, "the envelope", &e->root, err) < 0 ||
      !json_is_object(e->root))
    return zl_fail(err, ZL_E_AUTH, 0, "the envelope is not JSON Web Signature in JSON");
  if (json_object_get(e->root, "signatures") != NULL)
    return zl_fail(err, ZL_E_AUTH, 0, "the envelope has several signatures: one is expected");
  header = json_object_get(e->root, "header");
  if (get_text(e->root, "the envelope", "payload", &e->payload, err) < 0 ||
      get_text(e->root, "the envelope", "protected", &e->protected, err) < 0 ||
      get_text(e->root, "the envelope", "signature", &e->signature, err) < 0)
    return -ZL_E_AUTH;
  return read_certs(header, e, err);
}

/* ---- What was signed ------------------------------------------------------------------------- */

static int decode_json(const char *text, const char *what, json_t **ret, struct zl_error *err)
{
  size_t len = 0;
  zl_autofree char *raw = decode_url(text, &len);

  if (raw == NULL || zl_json_parse_upto(raw, len, ZL_MAX_ENVELOPE, what, ret, err) < 0 ||
      !json_is_object(*ret))
    return zl_fail(err, ZL_E_AUTH, 0, "%s is not an object in base64url", what);
  return 0;
}

/* What is critical has to be understood, and the scheme has to be critical. */
static int check_critical(const json_t *header, struct zl_error *err)
{
  const json_t *list = json_object_get(header, "crit");
  bool scheme = false;

  if (!json_is_array(list))
    return zl_fail(err, ZL_E_AUTH, 0, "the protected header: 'crit' is missing");
  for (size_t i = 0; i < json_array_size(list); i++) {
    const char *name = json_string_value(json_array_get(list, i));

    if (name == NULL || (strcmp(name, H_SCHEME) != 0 && strcmp(name, H_EXPIRY) != 0) ||
        json_object_get(header, name) == NULL)
      return zl_fail(err, ZL_E_AUTH, 0, "the critical header '%.80s' is not supported",
                     name != NULL ? name : "?");
    scheme |= strcmp(name, H_SCHEME) == 0;
  }
  return scheme ? 0 : zl_fail(err, ZL_E_AUTH, 0, "'%s' is not critical", H_SCHEME);
}

static int check_expiry(const json_t *header, uint64_t *until, struct zl_error *err)
{
  const char *text = NULL;
  uint64_t at = 0;

  if (zl_json_get_string(header, "the protected header", H_EXPIRY, &text, err) < 0)
    return -ZL_E_AUTH;
  if (text == NULL)
    return 0;
  if (zl_time_parse(text, &at, err) < 0)
    return zl_fail(err, ZL_E_AUTH, 0, "'%s' is not a time: '%.40s'", H_EXPIRY, text);
  if (at <= zl_time_wall())
    return zl_fail(err, ZL_E_AUTH, 0, "the signature has expired at %.40s", text);
  if (at / ZL_NS_PER_S < *until)
    *until = at / ZL_NS_PER_S;
  return 0;
}

/* The algorithm is the key's: what the header says is only compared ("none", HS256 with the key as
 * its secret, and a weaker hash all fail here). */
static int check_header(const json_t *header, const struct zl_pubkey *key, uint64_t *until,
                        struct zl_error *err)
{
  const char *alg, *cty, *scheme, *own = zl_pubkey_jws_name(key);
  int r;

  if (get_text(header, "the protected header", "alg", &alg, err) < 0 ||
      get_text(header, "the protected header", "cty", &cty, err) < 0 ||
      get_text(header, "the protected header", H_SCHEME, &scheme, err) < 0)
    return -ZL_E_AUTH;
  if (own == NULL || strcmp(alg, own) != 0)
    return zl_fail(err, ZL_E_AUTH, 0, "the algorithm is '%.20s', the certificate's key is for %s",
                   alg, own != NULL ? own : "none that notation knows");
  if (strcmp(cty, PAYLOAD_TYPE) != 0)
    return zl_fail(err, ZL_E_AUTH, 0, "the payload is '%.80s', not '%s'", cty, PAYLOAD_TYPE);
  if (strcmp(scheme, SCHEME) != 0)
    return zl_fail(err, ZL_E_AUTH, 0, "the signing scheme '%.60s' is not supported, only '%s'",
                   scheme, SCHEME);
  r = check_critical(header, err);
  return r < 0 ? r : check_expiry(header, until, err);
}

static int read_target(const json_t *payload, struct zl_notation_claim *ret, struct zl_error *err)
{
  const json_t *target = json_object_get(payload, "targetArtifact");
  const char *digest;

  if (!json_is_object(target))
    return zl_fail(err, ZL_E_AUTH, 0, "the payload: 'targetArtifact' is missing");
  if (get_text(target, "targetArtifact", "digest", &digest, err) < 0)
    return -ZL_E_AUTH;
  if (!zl_digest_is_valid(digest, NULL))
    return zl_fail(err, ZL_E_AUTH, 0, "targetArtifact.digest '%.100s' is not a digest", digest);
  (void)snprintf(ret->digest, sizeof(ret->digest), "%s", digest);
  return 0;
}

static int check_signature(const struct envelope *e, const struct zl_pubkey *key,
                           struct zl_error *err)
{
  zl_autofree char *input = zl_asprintf("%s.%s", e->protected, e->payload);
  size_t len = 0;
  zl_autofree char *signature = decode_url(e->signature, &len);

  if (input == NULL)
    return zl_fail_nomem(err, "a signature");
  if (signature == NULL)
    return zl_fail(err, ZL_E_AUTH, 0, "the signature is not base64url");
  return zl_pubkey_verify(key, ZL_SIGNED_JWS, input, strlen(input), signature, len, err);
}

int zl_notation_verify(const struct zl_trust *trust, const char *envelope, size_t len,
                       struct zl_notation_claim *ret, struct zl_error *err)
{
  ZL_CLEANUP(envelope_done) struct envelope e = { 0 };
  ZL_CLEANUP(zl_pubkey_freep) struct zl_pubkey *key = NULL;
  zl_autojson *header = NULL, *payload = NULL;
  struct zl_notation_claim claim = { 0 };
  struct zl_error local = { 0 };
  int r;

  err = err != NULL ? err : &local;
  r = read_envelope(envelope, len, &e, err);
  if (r == 0)
    r = zl_trust_check(trust, e.certs, e.n_certs, &key, &claim.until, err);
  if (r == 0)
    r = check_signature(&e, key, err);
  if (r == 0)
    r = decode_json(e.protected, "the protected header", &header, err);
  if (r == 0)
    r = check_header(header, key, &claim.until, err);
  if (r == 0)
    r = decode_json(e.payload, "the payload", &payload, err);
  if (r == 0)
    r = read_target(payload, &claim, err);
  if (r == 0)
    *ret = claim;
  return r;
}
