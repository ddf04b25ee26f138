/* SPDX-License-Identifier: Apache-2.0 */
#include "base/win32/der.h"

enum {
  LONG_FORM = 0x80,
  MAX_LENGTH_BYTES = 3
};

/* The length, of which DER allows the shortest form only. */
static bool take_length(struct zl_der_in *in, size_t *ret)
{
  size_t bytes, len = 0;

  if (in->left == 0)
    return false;
  bytes = *in->at++;
  in->left--;
  if (bytes < LONG_FORM) {
    *ret = bytes;
    return bytes <= in->left;
  }
  bytes -= LONG_FORM;
  if (bytes == 0 || bytes > MAX_LENGTH_BYTES || bytes > in->left || in->at[0] == 0)
    return false;
  for (size_t i = 0; i < bytes; i++)
    len = len << 8 | in->at[i];
  in->at += bytes;
  in->left -= bytes;
  *ret = len;
  return len >= LONG_FORM && len <= in->left;
}

bool zl_der_take(struct zl_der_in *in, uint8_t tag, struct zl_der_in *ret)
{
  struct zl_der_in rest = *in;
  size_t len = 0;

  if (rest.left == 0 || rest.at[0] != tag)
    return false;
  rest.at++;
  rest.left--;
  if (!take_length(&rest, &len))
    return false;
  *ret = (struct zl_der_in){ .at = rest.at, .left = len };
  *in = (struct zl_der_in){ .at = rest.at + len, .left = rest.left - len };
  return true;
}

bool zl_der_take_number(struct zl_der_in *in, struct zl_der_in *ret)
{
  struct zl_der_in n;

  if (!zl_der_take(in, ZL_DER_INTEGER, &n) || n.left == 0 || (n.at[0] & 0x80) != 0)
    return false;
  if (n.left > 1 && n.at[0] == 0) {
    if ((n.at[1] & 0x80) == 0)
      return false; /* not the shortest */
    n.at++;
    n.left--;
  }
  *ret = n;
  return n.at[0] != 0;
}
