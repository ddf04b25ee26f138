/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *zl_base64_encode(const void *data, size_t len)
{
  const unsigned char *in = data;
  char *text = len < SIZE_MAX / 2 ? malloc((len + 2) / 3 * 4 + 1) : NULL;
  size_t at = 0;

  if (text == NULL)
    return NULL;
  for (size_t i = 0; i < len; i += 3) {
    uint32_t bits = (uint32_t)in[i] << 16;

    bits |= i + 1 < len ? (uint32_t)in[i + 1] << 8 : 0;
    bits |= i + 2 < len ? in[i + 2] : 0;
    text[at++] = alphabet[bits >> 18];
    text[at++] = alphabet[bits >> 12 & 63];
    text[at++] = i + 1 < len ? alphabet[bits >> 6 & 63] : '=';
    text[at++] = i + 2 < len ? alphabet[bits & 63] : '=';
  }
  text[at] = '\0';
  return text;
}

char *zl_base64_decode(const char *text, size_t *ret_len)
{
  size_t digits = strspn(text, alphabet), at = 0;
  size_t padding = strspn(text + digits, "=");
  zl_autofree char *data = malloc(digits / 4 * 3 + 3 + 1);
  uint32_t bits = 0;

  if (data == NULL || text[digits + padding] != '\0' || digits % 4 == 1 ||
      (padding != 0 && (digits + padding) % 4 != 0) || padding > 2)
    return NULL;
  for (size_t i = 0; i < digits; i++) {
    bits = bits << 6 | (uint32_t)(strchr(alphabet, text[i]) - alphabet);
    if (i % 4 != 0)
      data[at++] = (char)(bits >> (6 - i % 4 * 2) & 0xff);
  }
  data[at] = '\0';
  *ret_len = at;
  return zl_steal_ptr(&data);
}
