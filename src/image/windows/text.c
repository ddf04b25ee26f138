/* SPDX-License-Identifier: Apache-2.0 */
#include "image/windows/text.h"

#include <string.h>

#include "base/cleanup.h"

/* ---- Characters ------------------------------------------------------------------------------ */

uint32_t zl_win_text_next(const char **text)
{
  static const struct {
    unsigned char mask, lead;
    uint32_t least;
  } forms[] = {
    { 0x80, 0x00, 0 }, { 0xe0, 0xc0, 0x80 }, { 0xf0, 0xe0, 0x800 }, { 0xf8, 0xf0, 0x10000 }
  };
  const unsigned char *p = (const unsigned char *)*text;

  for (size_t extra = 0; extra < ZL_COUNT(forms); extra++) {
    uint32_t value = p[0] & (unsigned char)~forms[extra].mask;

    if ((p[0] & forms[extra].mask) != forms[extra].lead)
      continue;
    for (size_t i = 1; i <= extra; i++) {
      if ((p[i] & 0xc0) != 0x80)
        return UINT32_MAX;
      value = value << 6 | (p[i] & 0x3f);
    }
    if (value < forms[extra].least || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
      return UINT32_MAX;
    *text += value != 0 ? extra + 1 : 0;
    return value;
  }
  return UINT32_MAX;
}

uint32_t zl_win_text_fold(uint32_t c)
{
  /* From `first` to `last`, every `step`th is small and `less` above its capital. */
  static const struct {
    uint32_t first, last, step, less;
  } ranges[] = {
    { 'a', 'z', 1, 0x20 },     { 0xe0, 0xf6, 1, 0x20 },   { 0xf8, 0xfe, 1, 0x20 },
    { 0x101, 0x137, 2, 1 },    { 0x13a, 0x148, 2, 1 },    { 0x14b, 0x177, 2, 1 },
    { 0x17a, 0x17e, 2, 1 },    { 0x3ac, 0x3ac, 1, 0x26 }, { 0x3ad, 0x3af, 1, 0x25 },
    { 0x3b1, 0x3c1, 1, 0x20 }, { 0x3c2, 0x3c2, 1, 0x1f }, { 0x3c3, 0x3cb, 1, 0x20 },
    { 0x3cc, 0x3cc, 1, 0x40 }, { 0x3cd, 0x3ce, 1, 0x3f }, { 0x430, 0x44f, 1, 0x20 },
    { 0x450, 0x45f, 1, 0x50 }, { 0x461, 0x481, 2, 1 },    { 0x48b, 0x4bf, 2, 1 },
    { 0x4c2, 0x4ce, 2, 1 },    { 0x4d1, 0x513, 2, 1 },    { 0x561, 0x586, 1, 0x30 },
    { 0x1e01, 0x1e95, 2, 1 },  { 0x1ea1, 0x1ef9, 2, 1 },  { 0xff41, 0xff5a, 1, 0x20 },
  };

  if (c == 0xff)
    return 0x178;
  for (size_t i = 0; i < ZL_COUNT(ranges); i++)
    if (c >= ranges[i].first && c <= ranges[i].last && (c - ranges[i].first) % ranges[i].step == 0)
      return c - ranges[i].less;
  return c;
}

bool zl_win_text_equal(const char *a, size_t len_a, const char *b, size_t len_b)
{
  const char *end_a = a + len_a, *end_b = b + len_b;

  while (a < end_a && b < end_b) {
    uint32_t x = zl_win_text_fold(zl_win_text_next(&a));

    if (x == 0 || x == UINT32_MAX || x != zl_win_text_fold(zl_win_text_next(&b)))
      return false;
  }
  return a == end_a && b == end_b;
}

static int put_unit(struct zl_buf *buf, uint32_t unit, struct zl_error *err)
{
  const unsigned char bytes[2] = { (unsigned char)(unit & 0xff), (unsigned char)(unit >> 8) };

  return zl_buf_append(buf, bytes, sizeof(bytes), err);
}

int zl_win_text_put(struct zl_buf *buf, const char *text, struct zl_error *err)
{
  uint32_t c;
  int r = 0;

  while (r == 0 && (c = zl_win_text_next(&text)) != 0) {
    if (c == UINT32_MAX)
      return zl_fail(err, ZL_E_CORRUPT, 0, "text that is not UTF-8");
    if (c < 0x10000) {
      r = put_unit(buf, c, err);
      continue;
    }
    r = put_unit(buf, 0xd800 + ((c - 0x10000) >> 10), err);
    if (r == 0)
      r = put_unit(buf, 0xdc00 + ((c - 0x10000) & 0x3ff), err);
  }
  return r;
}

/* ---- Names ----------------------------------------------------------------------------------- */

/* Devices are found under their names in every directory, with any extension, and with blanks in
 * front of it. COM and LPT also count with the superscript digits of Latin-1. */
static bool is_device(const char *name, size_t len)
{
  static const char *const devices[] = { "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$" };
  const char *dot = memchr(name, '.', len);
  size_t n = dot != NULL ? (size_t)(dot - name) : len;

  while (n > 0 && name[n - 1] == ' ')
    n--;
  for (size_t i = 0; i < ZL_COUNT(devices); i++)
    if (zl_win_text_equal(name, n, devices[i], strlen(devices[i])))
      return true;
  if (n < 4 || (!zl_win_text_equal(name, 3, "COM", 3) && !zl_win_text_equal(name, 3, "LPT", 3)))
    return false;
  if (n == 4)
    return name[3] >= '0' && name[3] <= '9';
  return n == 5 && name[3] == '\xc2' &&
         (name[4] == '\xb9' || name[4] == '\xb2' || name[4] == '\xb3');
}

static const char *character_fault(uint32_t c)
{
  if (c == UINT32_MAX)
    return "a name that is not UTF-8";
  if (c < 0x20)
    return "a control character in a name";
  if (c == '\\')
    return "a backslash in a name";
  if (c == ':')
    return "a colon in a name";
  return c < 0x80 && strchr("\"*/<>?|", (int)c) != NULL ? "a character that no name may have"
                                                        : NULL;
}

const char *zl_win_name_fault(const char *name, size_t len)
{
  const char *end = name + len;
  size_t units = 0;

  if (len == 0)
    return "an empty name";
  for (const char *p = name; p < end;) {
    uint32_t c = zl_win_text_next(&p);
    const char *fault = character_fault(c);

    if (fault != NULL)
      return fault;
    units += c >= 0x10000 ? 2 : 1;
  }
  if (units > ZL_WIN_NAME_UNITS)
    return "a name of more than 255 characters of UTF-16";
  if (end[-1] == '.' || end[-1] == ' ')
    return "a name that ends with a dot or a blank";
  return is_device(name, len) ? "the name of a device" : NULL;
}
