/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rand.h"

#include <windows.h>

#include <bcrypt.h>

int zl_rand_hex(char *text, size_t size, struct zl_error *err)
{
  unsigned char raw[32];
  size_t digits = size - 1;
  NTSTATUS status;

  if (size < 2 || digits > sizeof(raw) * 2)
    return zl_fail(err, ZL_E_INTERNAL, 0, "random text of %zu characters", size);
  status = BCryptGenRandom(NULL, raw, sizeof(raw), BCRYPT_USE_SYSTEM_PREFERRED_RNG);
  if (status < 0)
    return zl_fail(err, ZL_E_SYSTEM, (int)status, "reading random bytes");
  for (size_t i = 0; i < digits; i++)
    text[i] = "0123456789abcdef"[(raw[i / 2] >> (i % 2 ? 0 : 4)) & 15];
  text[digits] = '\0';
  return 0;
}
