/* SPDX-License-Identifier: Apache-2.0
 *
 * Signatures by CNG (bcrypt.dll), which knows no Ed25519. Certificates cannot be checked yet: a
 * policy that asks for one refuses the image.
 */
#include "base/signature.h"

#include <stdbool.h>
#include <string.h>
#include <windows.h>

#include <bcrypt.h>

#include "base/base64.h"
#include "base/win32/der.h"

enum {
  MIN_RSA_BITS = 2048,
  MAX_RSA_BITS = 8192, /* a larger one takes seconds */
  MAX_COORDINATE = 66, /* bytes of a number of P-521 */
  MAX_DIGEST = 64,
  MAX_EXPONENT = 8,
  UNCOMPRESSED = 4 /* the first byte of a point */
};

struct zl_pubkey {
  BCRYPT_ALG_HANDLE alg;
  BCRYPT_KEY_HANDLE handle;
  const wchar_t *digest; /* of ZL_SIGNED_BY_KEY */
  const char *jws;       /* NULL: none */
  const wchar_t *jws_digest;
  size_t coordinate; /* bytes of one number of an ECDSA signature; 0: RSA */
};

void zl_pubkey_free(struct zl_pubkey *key)
{
  if (key == NULL)
    return;
  if (key->handle != NULL)
    (void)BCryptDestroyKey(key->handle);
  if (key->alg != NULL)
    (void)BCryptCloseAlgorithmProvider(key->alg, 0);
  free(key);
}

const char *zl_pubkey_jws_name(const struct zl_pubkey *key)
{
  return key->jws;
}

/* ---- Keys ------------------------------------------------------------------------------------ */

static bool import(struct zl_pubkey *key, const wchar_t *alg, const wchar_t *kind, void *blob,
                   size_t len)
{
  return BCryptOpenAlgorithmProvider(&key->alg, alg, NULL, 0) >= 0 &&
         BCryptImportKeyPair(key->alg, NULL, kind, &key->handle, blob, (ULONG)len, 0) >= 0;
}

static bool is_id(const struct zl_der_in *id, const uint8_t *expected, size_t len)
{
  return id->left == len && memcmp(id->at, expected, len) == 0;
}

static bool import_ec(struct zl_pubkey *key, struct zl_der_in curve, struct zl_der_in point)
{
  static const uint8_t p256[] = { 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7 };
  static const uint8_t p384[] = { 0x2b, 0x81, 4, 0, 0x22 }, p521[] = { 0x2b, 0x81, 4, 0, 0x23 };
  static const struct {
    const uint8_t *id;
    size_t id_len, coordinate;
    const wchar_t *alg, *jws_digest;
    const char *jws;
    ULONG magic;
  } curves[] = {
    { p256, sizeof(p256), 32, BCRYPT_ECDSA_P256_ALGORITHM, BCRYPT_SHA256_ALGORITHM, "ES256",
      BCRYPT_ECDSA_PUBLIC_P256_MAGIC },
    { p384, sizeof(p384), 48, BCRYPT_ECDSA_P384_ALGORITHM, BCRYPT_SHA384_ALGORITHM, "ES384",
      BCRYPT_ECDSA_PUBLIC_P384_MAGIC },
    { p521, sizeof(p521), MAX_COORDINATE, BCRYPT_ECDSA_P521_ALGORITHM, BCRYPT_SHA512_ALGORITHM,
      "ES512", BCRYPT_ECDSA_PUBLIC_P521_MAGIC },
  };
  uint8_t blob[sizeof(BCRYPT_ECCKEY_BLOB) + 2 * MAX_COORDINATE];

  for (size_t i = 0; i < ZL_COUNT(curves); i++) {
    const size_t n = curves[i].coordinate;
    const BCRYPT_ECCKEY_BLOB head = { .dwMagic = curves[i].magic, .cbKey = (ULONG)n };

    if (!is_id(&curve, curves[i].id, curves[i].id_len))
      continue;
    if (point.left != 1 + 2 * n || point.at[0] != UNCOMPRESSED)
      return false;
    key->digest = BCRYPT_SHA256_ALGORITHM;
    key->jws = curves[i].jws;
    key->jws_digest = curves[i].jws_digest;
    key->coordinate = n;
    memcpy(blob, &head, sizeof(head));
    memcpy(blob + sizeof(head), point.at + 1, 2 * n);
    return import(key, curves[i].alg, BCRYPT_ECCPUBLIC_BLOB, blob, sizeof(head) + 2 * n);
  }
  return false;
}

static unsigned bits_of(const struct zl_der_in *number)
{
  unsigned bits = (unsigned)number->left * 8;

  for (uint8_t first = number->at[0]; (first & 0x80) == 0; first = (uint8_t)(first << 1))
    bits--;
  return bits;
}

static void describe_rsa(struct zl_pubkey *key, unsigned bits)
{
  key->digest = BCRYPT_SHA256_ALGORITHM;
  key->jws = bits == 2048 ? "PS256" : bits == 3072 ? "PS384" : bits == 4096 ? "PS512" : NULL;
  key->jws_digest = bits == 2048   ? BCRYPT_SHA256_ALGORITHM
                    : bits == 3072 ? BCRYPT_SHA384_ALGORITHM
                                   : BCRYPT_SHA512_ALGORITHM;
}

static bool import_rsa(struct zl_pubkey *key, struct zl_der_in text)
{
  uint8_t blob[sizeof(BCRYPT_RSAKEY_BLOB) + MAX_EXPONENT + MAX_RSA_BITS / 8];
  BCRYPT_RSAKEY_BLOB head = { .Magic = BCRYPT_RSAPUBLIC_MAGIC };
  struct zl_der_in numbers, modulus, exponent;

  if (!zl_der_take(&text, ZL_DER_SEQUENCE, &numbers) || text.left != 0 ||
      !zl_der_take_number(&numbers, &modulus) || !zl_der_take_number(&numbers, &exponent) ||
      numbers.left != 0)
    return false;
  head.BitLength = bits_of(&modulus);
  if (head.BitLength < MIN_RSA_BITS || head.BitLength > MAX_RSA_BITS ||
      exponent.left > MAX_EXPONENT)
    return false;
  head.cbPublicExp = (ULONG)exponent.left;
  head.cbModulus = (ULONG)modulus.left;
  describe_rsa(key, head.BitLength);
  memcpy(blob, &head, sizeof(head));
  memcpy(blob + sizeof(head), exponent.at, exponent.left);
  memcpy(blob + sizeof(head) + exponent.left, modulus.at, modulus.left);
  return import(key, BCRYPT_RSA_ALGORITHM, BCRYPT_RSAPUBLIC_BLOB, blob,
                sizeof(head) + exponent.left + modulus.left);
}

/* SubjectPublicKeyInfo of RFC 5280. 1: the key; 0: of another kind or size; -1: none. */
static int import_key(struct zl_pubkey *key, struct zl_der_in text)
{
  static const uint8_t ec[] = { 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1 };
  static const uint8_t rsa[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1 };
  struct zl_der_in info, what, id, bits, curve;

  if (!zl_der_take(&text, ZL_DER_SEQUENCE, &info) || text.left != 0 ||
      !zl_der_take(&info, ZL_DER_SEQUENCE, &what) || !zl_der_take(&what, ZL_DER_OBJECT_ID, &id) ||
      !zl_der_take(&info, ZL_DER_BIT_STRING, &bits) || info.left != 0 || bits.left < 2 ||
      bits.at[0] != 0 /* unused bits */)
    return -1;
  bits.at++;
  bits.left--;
  if (is_id(&id, rsa, sizeof(rsa)))
    return import_rsa(key, bits);
  return is_id(&id, ec, sizeof(ec)) && zl_der_take(&what, ZL_DER_OBJECT_ID, &curve) &&
         import_ec(key, curve, bits);
}

/* What stands between the first pair of these lines, decoded. */
static char *read_pem(const char *pem, size_t len, size_t *ret_len)
{
  static const char begin[] = "-----BEGIN PUBLIC KEY-----", end[] = "-----END PUBLIC KEY-----";
  zl_autofree char *text = strndup(pem, len);
  char *from = text != NULL ? strstr(text, begin) : NULL, *to, *out;

  if (from == NULL)
    return NULL;
  from += sizeof(begin) - 1;
  to = strstr(from, end);
  if (to == NULL)
    return NULL;
  *to = '\0';
  out = from;
  for (const char *p = from; *p != '\0'; p++)
    if (strchr(" \t\r\n", *p) == NULL)
      *out++ = *p;
  *out = '\0';
  return zl_base64_decode(from, ret_len);
}

int zl_pubkey_parse(const char *pem, size_t len, const char *what, struct zl_pubkey **ret,
                    struct zl_error *err)
{
  ZL_CLEANUP(zl_pubkey_freep) struct zl_pubkey *key = NULL;
  size_t der_len = 0;
  zl_autofree char *der = read_pem(pem, len, &der_len);
  int known = -1;

  if (der != NULL) {
    key = calloc(1, sizeof(*key));
    if (key == NULL)
      return zl_fail_nomem(err, what);
    known = import_key(key, (struct zl_der_in){ .at = (const uint8_t *)der, .left = der_len });
  }
  if (known < 0)
    return zl_fail(err, ZL_E_INVALID, 0, "%s: no public key in PEM ('BEGIN PUBLIC KEY')", what);
  if (known == 0)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0,
                   "%s: a key of this kind or size is not supported: ECDSA on P-256, P-384 or "
                   "P-521, or RSA of %d to %d bits",
                   what, MIN_RSA_BITS, MAX_RSA_BITS);
  *ret = zl_steal_ptr(&key);
  return 0;
}

/* ---- Signatures ------------------------------------------------------------------------------ */

/* Of `data`; the count of its bytes, 0: it cannot be computed. */
static ULONG digest_of(const wchar_t *name, const void *data, size_t len, uint8_t ret[MAX_DIGEST])
{
  BCRYPT_ALG_HANDLE alg = NULL;
  ULONG size = 0, got = 0;

  if (len > ULONG_MAX || BCryptOpenAlgorithmProvider(&alg, name, NULL, 0) < 0)
    return 0;
  if (BCryptGetProperty(alg, BCRYPT_HASH_LENGTH, (UCHAR *)&size, sizeof(size), &got, 0) < 0 ||
      size > MAX_DIGEST ||
      BCryptHash(alg, NULL, 0, (UCHAR *)(uintptr_t)data, (ULONG)len, ret, size) < 0)
    size = 0;
  (void)BCryptCloseAlgorithmProvider(alg, 0);
  return size;
}

static bool verify(const struct zl_pubkey *key, const wchar_t *digest, bool pss, const void *data,
                   size_t len, const void *signature, size_t signature_len)
{
  uint8_t hash[MAX_DIGEST];
  const ULONG size = digest_of(digest, data, len, hash);
  BCRYPT_PKCS1_PADDING_INFO pkcs1 = { .pszAlgId = digest };
  BCRYPT_PSS_PADDING_INFO salted = { .pszAlgId = digest, .cbSalt = size };
  const ULONG padding = pss ? BCRYPT_PAD_PSS : BCRYPT_PAD_PKCS1;
  const bool rsa = key->coordinate == 0;

  if (size == 0 || signature_len > MAX_RSA_BITS / 8)
    return false;
  return BCryptVerifySignature(key->handle,
                               !rsa  ? NULL
                               : pss ? (void *)&salted
                                     : (void *)&pkcs1,
                               hash, size, (UCHAR *)(uintptr_t)signature, (ULONG)signature_len,
                               rsa ? padding : 0) == 0;
}

static bool take_coordinate(struct zl_der_in *in, size_t size, uint8_t *to)
{
  struct zl_der_in n;

  if (!zl_der_take_number(in, &n) || n.left > size)
    return false;
  memset(to, 0, size - n.left);
  memcpy(to + size - n.left, n.at, n.left);
  return true;
}

/* Signatures of keys have their two numbers in DER, CNG and JWS take them one after the other. */
static bool verify_der(const struct zl_pubkey *key, const void *data, size_t len,
                       const void *signature, size_t signature_len)
{
  struct zl_der_in in = { .at = signature, .left = signature_len }, numbers;
  uint8_t raw[2 * MAX_COORDINATE];

  return zl_der_take(&in, ZL_DER_SEQUENCE, &numbers) && in.left == 0 &&
         take_coordinate(&numbers, key->coordinate, raw) &&
         take_coordinate(&numbers, key->coordinate, raw + key->coordinate) && numbers.left == 0 &&
         verify(key, key->digest, false, data, len, raw, 2 * key->coordinate);
}

static bool verify_jws(const struct zl_pubkey *key, const void *data, size_t len,
                       const void *signature, size_t signature_len)
{
  if (key->jws == NULL || (key->coordinate != 0 && signature_len != 2 * key->coordinate))
    return false;
  return verify(key, key->jws_digest, true, data, len, signature, signature_len);
}

int zl_pubkey_verify(const struct zl_pubkey *key, enum zl_signature_kind kind, const void *data,
                     size_t len, const void *signature, size_t signature_len, struct zl_error *err)
{
  bool good;

  if (kind == ZL_SIGNED_JWS)
    good = verify_jws(key, data, len, signature, signature_len);
  else if (key->coordinate != 0)
    good = verify_der(key, data, len, signature, signature_len);
  else
    good = verify(key, key->digest, false, data, len, signature, signature_len);
  return good ? 0 : zl_fail(err, ZL_E_AUTH, 0, "the signature is not that key's");
}

/* ---- Certificates ---------------------------------------------------------------------------- */

static int refuse(const char *what, struct zl_error *err)
{
  return zl_fail(err, ZL_E_UNSUPPORTED, 0,
                 "%s: certificates of signers cannot be checked on Windows yet: use a key", what);
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
  return refuse("the signature", err);
}
