/* SPDX-License-Identifier: Apache-2.0
 *
 * libcrypto is resolved at run time here, too (linux/digest.c has its other half).
 */
#include "base/signature.h"

#include <dlfcn.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
  MIN_RSA_BITS = 2048,
  MAX_RSA_BITS = 8192, /* a larger one takes seconds */
  MAX_TRUSTED = 256,   /* certificates in one file */
  MAX_COORDINATE = 66, /* bytes of a number of P-521 */
  SECURITY_LEVEL = 2   /* of OpenSSL's: 112 bits, no SHA-1 */
};

#define CRYPTO_SYMBOLS(X)             \
  X(ASN1_TIME_to_tm)                  \
  X(BIO_free)                         \
  X(BIO_new_mem_buf)                  \
  X(BN_bin2bn)                        \
  X(BN_free)                          \
  X(CRYPTO_free)                      \
  X(ECDSA_SIG_free)                   \
  X(ECDSA_SIG_new)                    \
  X(ECDSA_SIG_set0)                   \
  X(ERR_clear_error)                  \
  X(EVP_DigestVerify)                 \
  X(EVP_DigestVerifyInit_ex)          \
  X(EVP_MD_CTX_free)                  \
  X(EVP_MD_CTX_new)                   \
  X(EVP_PKEY_CTX_set_rsa_padding)     \
  X(EVP_PKEY_CTX_set_rsa_pss_saltlen) \
  X(EVP_PKEY_free)                    \
  X(EVP_PKEY_get_base_id)             \
  X(EVP_PKEY_get_bits)                \
  X(EVP_PKEY_get_group_name)          \
  X(OPENSSL_sk_free)                  \
  X(OPENSSL_sk_new_null)              \
  X(OPENSSL_sk_num)                   \
  X(OPENSSL_sk_push)                  \
  X(OPENSSL_sk_value)                 \
  X(PEM_read_bio_PUBKEY)              \
  X(PEM_read_bio_X509)                \
  X(X509_STORE_CTX_free)              \
  X(X509_STORE_CTX_get0_chain)        \
  X(X509_STORE_CTX_get0_param)        \
  X(X509_STORE_CTX_get_error)         \
  X(X509_STORE_CTX_init)              \
  X(X509_STORE_CTX_new)               \
  X(X509_STORE_add_cert)              \
  X(X509_STORE_free)                  \
  X(X509_STORE_new)                   \
  X(X509_VERIFY_PARAM_set_auth_level) \
  X(X509_VERIFY_PARAM_set_flags)      \
  X(X509_free)                        \
  X(X509_get0_notAfter)               \
  X(X509_get_extended_key_usage)      \
  X(X509_get_key_usage)               \
  X(X509_get_pubkey)                  \
  X(X509_verify_cert)                 \
  X(X509_verify_cert_error_string)    \
  X(d2i_X509)                         \
  X(i2d_ECDSA_SIG)

static struct {
#define X(name) __typeof__(&name) name;
  CRYPTO_SYMBOLS(X)
#undef X
  bool ready;
  char why[160];
} lib;

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void)
{
  const struct {
    const char *name;
    void *slot;
  } symbols[] = {
#define X(name) { #name, (void *)&lib.name },
    CRYPTO_SYMBOLS(X)
#undef X
  };
  void *so = dlopen("libcrypto.so.3", RTLD_NOW | RTLD_LOCAL);

  for (size_t i = 0; so != NULL && i < sizeof(symbols) / sizeof(symbols[0]); i++) {
    void *sym = dlsym(so, symbols[i].name);

    __builtin_memcpy(symbols[i].slot, &sym, sizeof(sym));
    if (sym == NULL)
      so = NULL;
  }
  if (so == NULL)
    (void)snprintf(lib.why, sizeof(lib.why), "%s", dlerror());
  lib.ready = so != NULL;
}

static int need_library(struct zl_error *err)
{
  (void)pthread_once(&once, load);
  return lib.ready ? 0
                   : zl_fail(err, ZL_E_UNSUPPORTED, 0, "libcrypto (package libssl3) is needed: %s",
                             lib.why);
}

/* ---- Keys ------------------------------------------------------------------------------------ */

struct zl_pubkey {
  EVP_PKEY *pkey;
  const char *digest;           /* of ZL_SIGNED_BY_KEY; NULL: the key's own (Ed25519) */
  const char *jws, *jws_digest; /* NULL: none */
  size_t coordinate;            /* bytes of one number of an ECDSA signature; 0: another kind */
  bool rsa;
};

void zl_pubkey_free(struct zl_pubkey *key)
{
  if (key == NULL)
    return;
  lib.EVP_PKEY_free(key->pkey);
  free(key);
}

static bool describe_ec(struct zl_pubkey *key)
{
  static const struct {
    const char *group, *jws, *digest;
    size_t coordinate;
  } curves[] = { { "prime256v1", "ES256", "SHA256", 32 },
                 { "secp384r1", "ES384", "SHA384", 48 },
                 { "secp521r1", "ES512", "SHA512", MAX_COORDINATE } };
  char group[64] = { 0 };
  size_t len = 0;

  if (lib.EVP_PKEY_get_group_name(key->pkey, group, sizeof(group), &len) != 1)
    return false;
  for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++)
    if (strcmp(group, curves[i].group) == 0) {
      key->digest = "SHA256";
      key->jws = curves[i].jws;
      key->jws_digest = curves[i].digest;
      key->coordinate = curves[i].coordinate;
      return true;
    }
  return false;
}

static bool describe_rsa(struct zl_pubkey *key)
{
  const int bits = lib.EVP_PKEY_get_bits(key->pkey);

  if (bits < MIN_RSA_BITS || bits > MAX_RSA_BITS)
    return false;
  key->rsa = true;
  key->digest = "SHA256";
  key->jws = bits == 2048 ? "PS256" : bits == 3072 ? "PS384" : bits == 4096 ? "PS512" : NULL;
  key->jws_digest = bits == 2048 ? "SHA256" : bits == 3072 ? "SHA384" : "SHA512";
  return true;
}

/* Takes the key over, also when it fails. */
static int adopt_key(EVP_PKEY *pkey, const char *what, struct zl_pubkey **ret, struct zl_error *err)
{
  ZL_CLEANUP(zl_pubkey_freep) struct zl_pubkey *key = calloc(1, sizeof(*key));
  bool known;

  if (key == NULL) {
    lib.EVP_PKEY_free(pkey);
    return zl_fail_nomem(err, what);
  }
  key->pkey = pkey;
  switch (lib.EVP_PKEY_get_base_id(pkey)) {
  case EVP_PKEY_EC:
    known = describe_ec(key);
    break;
  case EVP_PKEY_RSA:
    known = describe_rsa(key);
    break;
  case EVP_PKEY_ED25519:
    known = true;
    break;
  default:
    known = false;
    break;
  }
  if (!known)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0,
                   "%s: a key of this kind or size is not supported: ECDSA on P-256, P-384 or "
                   "P-521, RSA of %d to %d bits, or Ed25519",
                   what, MIN_RSA_BITS, MAX_RSA_BITS);
  *ret = key;
  key = NULL;
  return 0;
}

/* A file that is encrypted must not make OpenSSL ask on the terminal. */
static int no_password(char *buf, int size, int writing, void *ctx)
{
  (void)buf;
  (void)size;
  (void)writing;
  (void)ctx;
  return -1;
}

int zl_pubkey_parse(const char *pem, size_t len, const char *what, struct zl_pubkey **ret,
                    struct zl_error *err)
{
  EVP_PKEY *pkey;
  BIO *bio;
  int r = need_library(err);

  if (r < 0)
    return r;
  bio = len <= INT32_MAX ? lib.BIO_new_mem_buf(pem, (int)len) : NULL;
  if (bio == NULL)
    return zl_fail_nomem(err, what);
  pkey = lib.PEM_read_bio_PUBKEY(bio, NULL, no_password, NULL);
  (void)lib.BIO_free(bio);
  lib.ERR_clear_error();
  if (pkey == NULL)
    return zl_fail(err, ZL_E_INVALID, 0, "%s: no public key in PEM ('BEGIN PUBLIC KEY')", what);
  return adopt_key(pkey, what, ret, err);
}

const char *zl_pubkey_jws_name(const struct zl_pubkey *key)
{
  return key->jws;
}

/* ---- Signatures ------------------------------------------------------------------------------ */

/* JWS writes the two numbers one after the other, OpenSSL wants them in DER. A new buffer. */
static unsigned char *numbers_to_der(const struct zl_pubkey *key, const unsigned char *numbers,
                                     size_t len, size_t *ret_len)
{
  const int n = (int)key->coordinate;
  unsigned char *der = NULL;
  ECDSA_SIG *sig;
  BIGNUM *r, *s;
  int der_len;

  if (len != 2 * key->coordinate || (sig = lib.ECDSA_SIG_new()) == NULL)
    return NULL;
  r = lib.BN_bin2bn(numbers, n, NULL);
  s = lib.BN_bin2bn(numbers + n, n, NULL);
  if (r == NULL || s == NULL || lib.ECDSA_SIG_set0(sig, r, s) != 1) {
    lib.BN_free(r);
    lib.BN_free(s);
    lib.ECDSA_SIG_free(sig);
    return NULL;
  }
  der_len = lib.i2d_ECDSA_SIG(sig, &der);
  lib.ECDSA_SIG_free(sig);
  *ret_len = der_len > 0 ? (size_t)der_len : 0;
  return der_len > 0 ? der : NULL;
}

static bool verify(const struct zl_pubkey *key, const char *digest, bool pss, const void *data,
                   size_t len, const unsigned char *signature, size_t signature_len)
{
  EVP_MD_CTX *ctx = lib.EVP_MD_CTX_new();
  EVP_PKEY_CTX *pctx = NULL;
  bool good = ctx != NULL &&
              lib.EVP_DigestVerifyInit_ex(ctx, &pctx, digest, NULL, NULL, key->pkey, NULL) == 1;

  if (good && key->rsa)
    good = lib.EVP_PKEY_CTX_set_rsa_padding(pctx,
                                            pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING) == 1;
  if (good && pss)
    good = lib.EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) == 1;
  good = good && lib.EVP_DigestVerify(ctx, signature, signature_len, data, len) == 1;
  lib.EVP_MD_CTX_free(ctx);
  lib.ERR_clear_error();
  return good;
}

static bool verify_jws(const struct zl_pubkey *key, const void *data, size_t len,
                       const void *signature, size_t signature_len)
{
  unsigned char *der;
  size_t der_len = 0;
  bool good;

  if (key->jws == NULL)
    return false;
  if (key->coordinate == 0)
    return verify(key, key->jws_digest, true, data, len, signature, signature_len);
  der = numbers_to_der(key, signature, signature_len, &der_len);
  good = der != NULL && verify(key, key->jws_digest, false, data, len, der, der_len);
  lib.CRYPTO_free(der, __FILE__, __LINE__);
  lib.ERR_clear_error();
  return good;
}

int zl_pubkey_verify(const struct zl_pubkey *key, enum zl_signature_kind kind, const void *data,
                     size_t len, const void *signature, size_t signature_len, struct zl_error *err)
{
  const bool good = kind == ZL_SIGNED_JWS
                        ? verify_jws(key, data, len, signature, signature_len)
                        : verify(key, key->digest, false, data, len, signature, signature_len);

  return good ? 0 : zl_fail(err, ZL_E_AUTH, 0, "the signature is not that key's");
}

/* ---- Certificates ---------------------------------------------------------------------------- */

struct zl_trust {
  X509_STORE *store;
};

void zl_trust_free(struct zl_trust *trust)
{
  if (trust == NULL)
    return;
  lib.X509_STORE_free(trust->store);
  free(trust);
}

static size_t add_certs(struct zl_trust *trust, BIO *bio)
{
  size_t count = 0;
  X509 *cert;

  while (count < MAX_TRUSTED &&
         (cert = lib.PEM_read_bio_X509(bio, NULL, no_password, NULL)) != NULL) {
    count += lib.X509_STORE_add_cert(trust->store, cert) == 1;
    lib.X509_free(cert);
  }
  lib.ERR_clear_error();
  return count;
}

int zl_trust_parse(const char *pem, size_t len, const char *what, struct zl_trust **ret,
                   struct zl_error *err)
{
  ZL_CLEANUP(zl_trust_freep) struct zl_trust *trust = NULL;
  BIO *bio;
  size_t count;
  int r = need_library(err);

  if (r < 0)
    return r;
  trust = calloc(1, sizeof(*trust));
  bio = len <= INT32_MAX ? lib.BIO_new_mem_buf(pem, (int)len) : NULL;
  if (trust == NULL || bio == NULL || (trust->store = lib.X509_STORE_new()) == NULL) {
    (void)lib.BIO_free(bio);
    return zl_fail_nomem(err, what);
  }
  count = add_certs(trust, bio);
  (void)lib.BIO_free(bio);
  if (count == 0)
    return zl_fail(err, ZL_E_INVALID, 0, "%s: no certificate in PEM ('BEGIN CERTIFICATE')", what);
  *ret = trust;
  trust = NULL;
  return 0;
}

/* OpenSSL's typed stacks are inline functions over these. */
static void free_stack(OPENSSL_STACK **stack)
{
  if (*stack == NULL)
    return;
  for (int i = 0; i < lib.OPENSSL_sk_num(*stack); i++)
    lib.X509_free(lib.OPENSSL_sk_value(*stack, i));
  lib.OPENSSL_sk_free(*stack);
}

static int parse_chain(const struct zl_der *certs, size_t count, OPENSSL_STACK *stack,
                       struct zl_error *err)
{
  for (size_t i = 0; i < count; i++) {
    const unsigned char *at = certs[i].data, *end = at + certs[i].len;
    X509 *cert = certs[i].len <= INT32_MAX ? lib.d2i_X509(NULL, &at, (long)certs[i].len) : NULL;

    lib.ERR_clear_error();
    if (cert == NULL || at != end) {
      lib.X509_free(cert);
      return zl_fail(err, ZL_E_AUTH, 0, "certificate %zu of the signature is malformed", i);
    }
    if (lib.OPENSSL_sk_push(stack, cert) <= 0) {
      lib.X509_free(cert);
      return zl_fail_nomem(err, "certificates");
    }
  }
  return 0;
}

/* A certificate for a web server, say, does not sign images. */
static int check_usage(X509 *leaf, struct zl_error *err)
{
  const uint32_t extended = lib.X509_get_extended_key_usage(leaf);

  if ((lib.X509_get_key_usage(leaf) & KU_DIGITAL_SIGNATURE) == 0)
    return zl_fail(err, ZL_E_AUTH, 0, "the certificate is not for digital signatures (keyUsage)");
  if (extended != UINT32_MAX && (extended & XKU_CODE_SIGN) == 0)
    return zl_fail(err, ZL_E_AUTH, 0, "the certificate is not for signing code (extKeyUsage)");
  return 0;
}

/* The first end of a certificate of the chain. */
static uint64_t chain_end(X509_STORE_CTX *ctx)
{
  const OPENSSL_STACK *chain = (const OPENSSL_STACK *)lib.X509_STORE_CTX_get0_chain(ctx);
  uint64_t first = UINT64_MAX;

  for (int i = 0; i < lib.OPENSSL_sk_num(chain); i++) {
    struct tm tm = { 0 };
    time_t end;

    if (lib.ASN1_TIME_to_tm(lib.X509_get0_notAfter(lib.OPENSSL_sk_value(chain, i)), &tm) != 1)
      return 0;
    end = timegm(&tm);
    if (end < 0)
      return 0;
    first = (uint64_t)end < first ? (uint64_t)end : first;
  }
  return first;
}

static int check_chain(const struct zl_trust *trust, X509 *leaf, OPENSSL_STACK *stack,
                       uint64_t *ret_until, struct zl_error *err)
{
  X509_STORE_CTX *ctx = lib.X509_STORE_CTX_new();
  X509_VERIFY_PARAM *param;
  int r = 0;

  if (ctx == NULL ||
      lib.X509_STORE_CTX_init(ctx, trust->store, leaf, (STACK_OF(X509) *)stack) != 1) {
    lib.X509_STORE_CTX_free(ctx);
    return zl_fail_nomem(err, "certificates");
  }
  param = lib.X509_STORE_CTX_get0_param(ctx);
  (void)lib.X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
  lib.X509_VERIFY_PARAM_set_auth_level(param, SECURITY_LEVEL);
  if (lib.X509_verify_cert(ctx) != 1)
    r = zl_fail(err, ZL_E_AUTH, 0, "its certificate is not accepted: %s",
                lib.X509_verify_cert_error_string(lib.X509_STORE_CTX_get_error(ctx)));
  else
    *ret_until = chain_end(ctx);
  lib.X509_STORE_CTX_free(ctx);
  lib.ERR_clear_error();
  return r;
}

int zl_trust_check(const struct zl_trust *trust, const struct zl_der *certs, size_t count,
                   struct zl_pubkey **ret_key, uint64_t *ret_until, struct zl_error *err)
{
  ZL_CLEANUP(free_stack) OPENSSL_STACK *stack = lib.OPENSSL_sk_new_null();
  EVP_PKEY *pkey;
  X509 *leaf;
  int r;

  if (stack == NULL)
    return zl_fail_nomem(err, "certificates");
  if (count == 0)
    return zl_fail(err, ZL_E_AUTH, 0, "the signature has no certificate");
  r = parse_chain(certs, count, stack, err);
  if (r < 0)
    return r;
  leaf = lib.OPENSSL_sk_value(stack, 0);
  r = check_chain(trust, leaf, stack, ret_until, err);
  if (r == 0)
    r = check_usage(leaf, err);
  if (r < 0)
    return r;
  pkey = lib.X509_get_pubkey(leaf);
  lib.ERR_clear_error();
  return pkey != NULL ? adopt_key(pkey, "the certificate", ret_key, err)
                      : zl_fail(err, ZL_E_AUTH, 0, "the certificate has no usable key");
}
