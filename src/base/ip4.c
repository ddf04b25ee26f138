/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ip4.h"

#include <stddef.h>
#include <stdio.h>

/* One number 0..255 without a leading zero; returns what follows it, or NULL. */
static const char *parse_octet(const char *text, uint32_t *ret)
{
  uint32_t value = 0;
  size_t digits = 0;

  while (text[digits] >= '0' && text[digits] <= '9' && digits < 3)
    value = value * 10 + (uint32_t)(text[digits++] - '0');
  if (digits == 0 || value > 255 || (digits > 1 && text[0] == '0'))
    return NULL;
  *ret = value;
  return text + digits;
}

bool zl_ip4_parse(const char *text, uint32_t *ret)
{
  uint32_t address = 0;

  for (int i = 0; i < 4; i++) {
    uint32_t octet;

    if (i > 0 && *text++ != '.')
      return false;
    text = parse_octet(text, &octet);
    if (text == NULL)
      return false;
    address = address << 8 | octet;
  }
  if (*text != '\0')
    return false;
  *ret = address;
  return true;
}

const char *zl_ip4_format(uint32_t address, char text[ZL_IP4_TEXT])
{
  (void)snprintf(text, ZL_IP4_TEXT, "%u.%u.%u.%u", address >> 24, address >> 16 & 255,
                 address >> 8 & 255, address & 255);
  return text;
}
