/* SPDX-License-Identifier: Apache-2.0
 *
 * Digests by CNG (bcrypt.dll).
 */
#include "base/digest.h"

#include <windows.h>

#include <bcrypt.h>

static BCRYPT_ALG_HANDLE providers[2];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void)
{
  (void)BCryptOpenAlgorithmProvider(&providers[ZL_SHA256], BCRYPT_SHA256_ALGORITHM, NULL, 0);
  (void)BCryptOpenAlgorithmProvider(&providers[ZL_SHA512], BCRYPT_SHA512_ALGORITHM, NULL, 0);
}

struct zl_hash {
  BCRYPT_HASH_HANDLE handle;
  enum zl_digest_alg alg;
  bool failed;
};

int zl_hash_new(enum zl_digest_alg alg, struct zl_hash **ret, struct zl_error *err)
{
  struct zl_hash *hash = calloc(1, sizeof(*hash));
  NTSTATUS status;

  (void)pthread_once(&once, load);
  if (hash == NULL)
    return zl_fail_nomem(err, "starting a digest computation");
  status = BCryptCreateHash(providers[alg], &hash->handle, NULL, 0, NULL, 0, 0);
  if (status < 0) {
    free(hash);
    return zl_fail(err, ZL_E_SYSTEM, (int)status, "starting a digest computation");
  }
  hash->alg = alg;
  *ret = hash;
  return 0;
}

void zl_hash_update(struct zl_hash *hash, const void *data, size_t len)
{
  const unsigned char *p = data;

  while (len > 0 && !hash->failed) {
    const ULONG n = len < ZL_POSIX_IO_MAX ? (ULONG)len : ZL_POSIX_IO_MAX;

    hash->failed = BCryptHashData(hash->handle, (UCHAR *)(uintptr_t)p, n, 0) < 0;
    p += n;
    len -= n;
  }
}

int zl_hash_final(struct zl_hash *hash, char text[ZL_DIGEST_TEXT], struct zl_error *err)
{
  unsigned char raw[ZL_DIGEST_RAW_MAX];
  const ULONG len = hash->alg == ZL_SHA256 ? 32 : 64;

  if (hash->failed || BCryptFinishHash(hash->handle, raw, len, 0) < 0)
    return zl_fail(err, ZL_E_INTERNAL, 0, "the digest computation failed");
  zl_digest_write(hash->alg, raw, len, text);
  return 0;
}

void zl_hash_free(struct zl_hash *hash)
{
  if (hash == NULL)
    return;
  (void)BCryptDestroyHash(hash->handle);
  free(hash);
}
