/* SPDX-License-Identifier: Apache-2.0
 *
 * libcrypto is resolved at run time, in this file only.
 */
#include "base/digest.h"

#include <dlfcn.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/sha256.h"

static struct {
  __typeof__(&EVP_MD_CTX_new) ctx_new;
  __typeof__(&EVP_MD_CTX_free) ctx_free;
  __typeof__(&EVP_MD_fetch) fetch;
  __typeof__(&EVP_DigestInit_ex) init;
  __typeof__(&EVP_DigestUpdate) update;
  __typeof__(&EVP_DigestFinal_ex) final;
  EVP_MD *md[2];
  char why[160];
} crypto;

static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool resolve(void *lib, const char *name, void *slot)
{
  void *sym = dlsym(lib, name);

  __builtin_memcpy(slot, &sym, sizeof(sym));
  return sym != NULL;
}

static void load(void)
{
  void *lib = dlopen("libcrypto.so.3", RTLD_NOW | RTLD_LOCAL);

  if (lib == NULL || !resolve(lib, "EVP_MD_CTX_new", &crypto.ctx_new) ||
      !resolve(lib, "EVP_MD_CTX_free", &crypto.ctx_free) ||
      !resolve(lib, "EVP_MD_fetch", &crypto.fetch) ||
      !resolve(lib, "EVP_DigestInit_ex", &crypto.init) ||
      !resolve(lib, "EVP_DigestUpdate", &crypto.update) ||
      !resolve(lib, "EVP_DigestFinal_ex", &crypto.final)) {
    (void)snprintf(crypto.why, sizeof(crypto.why), "%s", dlerror());
    crypto.fetch = NULL;
    return;
  }
  crypto.md[ZL_SHA256] = crypto.fetch(NULL, "SHA256", NULL);
  crypto.md[ZL_SHA512] = crypto.fetch(NULL, "SHA512", NULL);
}

struct zl_hash {
  EVP_MD_CTX *ctx; /* NULL: libcrypto cannot be loaded, and `sha` does it */
  struct zl_sha256 sha;
  enum zl_digest_alg alg;
  bool failed;
};

int zl_hash_new(enum zl_digest_alg alg, struct zl_hash **ret, struct zl_error *err)
{
  struct zl_hash *hash;

  (void)pthread_once(&once, load);
  if (crypto.fetch == NULL && alg != ZL_SHA256)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0, "libcrypto (package libssl3) is needed: %s",
                   crypto.why);
  hash = calloc(1, sizeof(*hash));
  if (hash != NULL && crypto.fetch == NULL) {
    zl_sha256_init(&hash->sha);
  } else if (hash == NULL || (hash->ctx = crypto.ctx_new()) == NULL ||
             crypto.init(hash->ctx, crypto.md[alg], NULL) != 1) {
    zl_hash_free(hash);
    return zl_fail(err, ZL_E_NO_MEMORY, 0, "starting a digest computation");
  }
  hash->alg = alg;
  *ret = hash;
  return 0;
}

void zl_hash_update(struct zl_hash *hash, const void *data, size_t len)
{
  if (hash->ctx == NULL)
    zl_sha256_update(&hash->sha, data, len);
  else if (len > 0 && crypto.update(hash->ctx, data, len) != 1)
    hash->failed = true;
}

int zl_hash_final(struct zl_hash *hash, char text[ZL_DIGEST_TEXT], struct zl_error *err)
{
  unsigned char raw[EVP_MAX_MD_SIZE];
  unsigned len = ZL_SHA256_RAW;

  if (hash->ctx == NULL)
    zl_sha256_final(&hash->sha, raw);
  else if (hash->failed || crypto.final(hash->ctx, raw, &len) != 1 || len > ZL_DIGEST_RAW_MAX)
    return zl_fail(err, ZL_E_INTERNAL, 0, "the digest computation failed");
  zl_digest_write(hash->alg, raw, len, text);
  return 0;
}

void zl_hash_free(struct zl_hash *hash)
{
  if (hash == NULL)
    return;
  if (hash->ctx != NULL)
    crypto.ctx_free(hash->ctx);
  free(hash);
}
