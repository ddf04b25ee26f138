/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "net/linux/link.h"

static int digit(char c)
{
  static const char digits[] = "0123456789abcdef";
  const char *at = c != '\0' ? strchr(digits, c | 0x20) : NULL; /* upper case, too */

  return at != NULL ? (int)(at - digits) : -1;
}

bool zl_link_mac_parse(const char *text, uint8_t mac[ZL_MAC])
{
  for (size_t i = 0; i < ZL_MAC; i++, text += 3) {
    int high = digit(text[0]), low = high >= 0 ? digit(text[1]) : -1;

    if (low < 0 || text[2] != (i + 1 < ZL_MAC ? ':' : '\0'))
      return false;
    mac[i] = (uint8_t)(high << 4 | low);
  }
  return true;
}
