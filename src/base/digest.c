/* SPDX-License-Identifier: Apache-2.0 */
#include "base/digest.h"

#include <string.h>

#include "base/cleanup.h"

bool zl_digest_is_valid(const char *text, enum zl_digest_alg *ret_alg)
{
  enum zl_digest_alg alg;
  size_t digits;

  if (strncmp(text, "sha256:", 7) == 0) {
    alg = ZL_SHA256;
    digits = 64;
  } else if (strncmp(text, "sha512:", 7) == 0) {
    alg = ZL_SHA512;
    digits = 128;
  } else {
    return false;
  }
  if (strspn(text + 7, "0123456789abcdef") != digits || text[7 + digits] != '\0')
    return false;
  if (ret_alg != NULL)
    *ret_alg = alg;
  return true;
}

void zl_digest_write(enum zl_digest_alg alg, const unsigned char *raw, size_t len,
                     char text[ZL_DIGEST_TEXT])
{
  char *p = text;

  memcpy(p, alg == ZL_SHA256 ? "sha256:" : "sha512:", 7);
  p += 7;
  for (size_t i = 0; i < len && i < ZL_DIGEST_RAW_MAX; i++) {
    *p++ = "0123456789abcdef"[raw[i] >> 4];
    *p++ = "0123456789abcdef"[raw[i] & 15];
  }
  *p = '\0';
}

int zl_digest_of(enum zl_digest_alg alg, const void *data, size_t len, char text[ZL_DIGEST_TEXT],
                 struct zl_error *err)
{
  zl_autohash hash = NULL;
  int r = zl_hash_new(alg, &hash, err);

  if (r < 0)
    return r;
  zl_hash_update(hash, data, len);
  return zl_hash_final(hash, text, err);
}
