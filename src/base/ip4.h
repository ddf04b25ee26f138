/* SPDX-License-Identifier: Apache-2.0
 *
 * IPv4 addresses as uint32_t in host byte order, and their text. Pure functions.
 */
#ifndef ZL_BASE_IP4_H
#define ZL_BASE_IP4_H

#include <stdbool.h>
#include <stdint.h>

enum {
  ZL_IP4_TEXT = 16 /* "255.255.255.255" and its NUL */
};

/* The whole of `text` as a dotted quad in decimal. "010.0.0.1" is refused: other programs read a
 * leading zero as octal (CVE-2021-29921). */
bool zl_ip4_parse(const char *text, uint32_t *ret);
/* Returns `text`. */
const char *zl_ip4_format(uint32_t address, char text[ZL_IP4_TEXT]);

/* The network mask of a prefix length 0..32. */
static inline uint32_t zl_ip4_mask(unsigned prefix)
{
  return prefix == 0 ? 0 : UINT32_MAX << (32 - prefix);
}

#endif
