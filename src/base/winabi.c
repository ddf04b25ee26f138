/* SPDX-License-Identifier: Apache-2.0 */
#include "base/winabi.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/rand.h"
#include "base/sha256.h"

/* ---- GUIDs ---- */

const char *zl_guid_format(const struct zl_guid *guid, char text[ZL_GUID_CHARS])
{
  const uint8_t *d = guid->data4;

  (void)snprintf(text, ZL_GUID_CHARS, "%08x-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x",
                 (unsigned)guid->data1, (unsigned)guid->data2, (unsigned)guid->data3, d[0], d[1],
                 d[2], d[3], d[4], d[5], d[6], d[7]);
  return text;
}

static int digit(char c)
{
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool zl_guid_parse(const char *text, struct zl_guid *ret)
{
  size_t len = strlen(text), n = 0;
  uint8_t raw[16];

  if (len == 38 && text[0] == '{' && text[37] == '}')
    text++;
  else if (len != 36)
    return false;
  for (size_t i = 0; i < 36; i++) {
    bool dash = i == 8 || i == 13 || i == 18 || i == 23;

    if (dash ? text[i] != '-' : digit(text[i]) < 0)
      return false;
    if (dash)
      continue;
    raw[n / 2] = (uint8_t)(n % 2 == 0 ? digit(text[i]) << 4 : raw[n / 2] | digit(text[i]));
    n++;
  }
  ret->data1 = (uint32_t)raw[0] << 24 | (uint32_t)raw[1] << 16 | (uint32_t)raw[2] << 8 | raw[3];
  ret->data2 = (uint16_t)(raw[4] << 8 | raw[5]);
  ret->data3 = (uint16_t)(raw[6] << 8 | raw[7]);
  memcpy(ret->data4, raw + 8, 8);
  return true;
}

/* RFC 9562: the version in the upper bits of the third group, the variant in those of the fourth.
 */
static void stamp(struct zl_guid *guid, unsigned version)
{
  guid->data3 = (uint16_t)((guid->data3 & 0x0fff) | version << 12);
  guid->data4[0] = (uint8_t)((guid->data4[0] & 0x3f) | 0x80);
}

int zl_guid_random(struct zl_guid *ret, struct zl_error *err)
{
  struct zl_guid guid = { 0 };
  char hex[33], text[ZL_GUID_CHARS];
  int r = zl_rand_hex(hex, sizeof(hex), err);

  if (r < 0)
    return r;
  (void)snprintf(text, sizeof(text), "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
                 hex + 20);
  (void)zl_guid_parse(text, &guid);
  stamp(&guid, 4);
  *ret = guid;
  return 0;
}

void zl_guid_of(const char *const *texts, struct zl_guid *ret)
{
  uint8_t raw[ZL_SHA256_RAW];
  struct zl_sha256 sha;

  zl_sha256_init(&sha);
  for (; *texts != NULL; texts++) /* with the NUL: "a", "bc" is not "ab", "c" */
    zl_sha256_update(&sha, *texts, strlen(*texts) + 1);
  zl_sha256_final(&sha, raw);
  memcpy(ret, raw, sizeof(*ret));
  stamp(ret, 8);
}

/* ---- UTF-16 ---- */

enum {
  BAD = 0x110000 /* past Unicode */
};

/* The character at *p, which goes behind it; BAD: none begins there. */
static uint32_t next_character(const unsigned char **p)
{
  static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
  const unsigned char *at = *p;
  size_t more = at[0] < 0x80 ? 0 : at[0] < 0xe0 ? 1 : at[0] < 0xf0 ? 2 : 3;
  uint32_t c = more == 0 ? at[0] : at[0] & (0x3fU >> more);

  if (at[0] >= 0xf8 || (at[0] & 0xc0) == 0x80)
    return BAD;
  for (size_t i = 1; i <= more; i++) {
    if ((at[i] & 0xc0) != 0x80)
      return BAD;
    c = c << 6 | (at[i] & 0x3f);
  }
  *p = at + more + 1;
  return c < least[more] || (c >= 0xd800 && c < 0xe000) ? BAD : c;
}

int zl_wide_new(const char *text, zl_wchar **ret, struct zl_error *err)
{
  const unsigned char *p = (const unsigned char *)text;
  zl_autofree zl_wchar *wide = calloc(strlen(text) + 1, sizeof(*wide));
  size_t n = 0;

  if (wide == NULL)
    return zl_fail_nomem(err, "a text in UTF-16");
  while (*p != '\0') {
    uint32_t c = next_character(&p);

    if (c >= BAD)
      return zl_fail(err, ZL_E_INVALID, 0, "'%.80s' is not UTF-8", text);
    if (c >= 0x10000) {
      wide[n++] = (zl_wchar)(0xd7c0 + (c >> 10));
      c = 0xdc00 | (c & 0x3ff);
    }
    wide[n++] = (zl_wchar)c;
  }
  *ret = zl_steal_ptr(&wide);
  return 0;
}

size_t zl_wide_len(const zl_wchar *wide)
{
  size_t n = 0;

  while (wide[n] != 0)
    n++;
  return n;
}

static size_t put_utf8(uint32_t c, char out[4])
{
  static const uint8_t lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
  size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

  for (size_t i = len; i-- > 1; c >>= 6)
    out[i] = (char)(0x80 | (c & 0x3f));
  out[0] = (char)(lead[len] | c);
  return len;
}

int zl_wide_text(const zl_wchar *wide, size_t max, char **ret, struct zl_error *err)
{
  zl_autobuf buf = ZL_BUF_INIT(3 * max + 1);
  size_t n = 0;
  int r = 0;

  while (r == 0 && wide != NULL && wide[n] != 0) {
    uint32_t c = wide[n++];
    char bytes[4];

    if (n > max)
      return zl_fail(err, ZL_E_LIMIT, 0, "a text of Windows has more than %zu characters", max);
    if (c >= 0xd800 && c < 0xdc00 && wide[n] >= 0xdc00 && wide[n] < 0xe000)
      c = 0x10000 + ((c & 0x3ff) << 10) + (wide[n++] & 0x3ff);
    else if (c >= 0xd800 && c < 0xe000)
      c = 0xfffd;
    r = zl_buf_append(&buf, bytes, put_utf8(c, bytes), err);
  }
  if (r < 0)
    return r;
  *ret = zl_buf_steal(&buf);
  return *ret != NULL ? 0 : zl_fail_nomem(err, "a text of Windows");
}
