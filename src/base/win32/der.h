/* SPDX-License-Identifier: Apache-2.0
 *
 * The little of DER that public keys and signatures are made of.
 */
#ifndef ZL_BASE_WIN32_DER_H
#define ZL_BASE_WIN32_DER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct zl_der_in {
  const uint8_t *at;
  size_t left;
};

enum { /* tags */
  ZL_DER_INTEGER = 0x02,
  ZL_DER_BIT_STRING = 0x03,
  ZL_DER_OBJECT_ID = 0x06,
  ZL_DER_SEQUENCE = 0x30
};

/* Takes the next value, if it has that tag and the shortest length there is; *ret is what is in it.
 */
bool zl_der_take(struct zl_der_in *in, uint8_t tag, struct zl_der_in *ret);
/* A positive integer; *ret without leading zeros. */
bool zl_der_take_number(struct zl_der_in *in, struct zl_der_in *ret);

#endif
