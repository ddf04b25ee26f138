/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/tar_header.h"

#include <string.h>

#include "image/layer/tar.h"

enum {
  NAME_AT = 0,
  NAME_LEN = 100,
  MODE_AT = 100,
  UID_AT = 108,
  GID_AT = 116,
  ID_LEN = 8,
  SIZE_AT = 124,
  MTIME_AT = 136,
  LONG_LEN = 12,
  SUM_AT = 148,
  TYPE_AT = 156,
  LINK_AT = 157,
  LINK_LEN = 100,
  MAGIC_AT = 257,
  MAJOR_AT = 329,
  MINOR_AT = 337,
  PREFIX_AT = 345,
  PREFIX_LEN = 155,
  STAR_PREFIX_LEN = 131,
  STAR_MAGIC_AT = 508
};

bool zl_tar_is_zero(const uint8_t *block)
{
  return block[0] == 0 && memcmp(block, block + 1, ZL_TAR_BLOCK - 1) == 0;
}

/* Two's complement, big-endian, the top bit of the first byte being only a mark. */
static bool base256(const uint8_t *field, size_t len, int64_t *ret)
{
  bool negative = (field[0] & 0x40) != 0;
  uint8_t fill = negative ? 0xff : 0;
  uint64_t value = negative ? UINT64_MAX : 0;

  for (size_t i = 0; i < len; i++) {
    uint8_t byte = i > 0 ? field[i] : negative ? field[0] : (uint8_t)(field[0] & 0x7f);

    if (value >> 56 != fill)
      return false;
    value = value << 8 | byte;
  }
  if ((value >> 63 != 0) != negative)
    return false;
  *ret = (int64_t)value;
  return true;
}

/* Blanks, octal digits, then only blanks and NULs. An empty field is 0, as every reader has it. */
static bool octal(const uint8_t *field, size_t len, int64_t *ret)
{
  uint64_t value = 0;
  size_t i = 0;

  while (i < len && field[i] == ' ')
    i++;
  for (; i < len && field[i] >= '0' && field[i] <= '7'; i++)
    value = value << 3 | (uint64_t)(field[i] - '0'); /* 12 digits at most: cannot overflow */
  for (; i < len; i++)
    if (field[i] != ' ' && field[i] != '\0')
      return false;
  *ret = (int64_t)value;
  return true;
}

static bool number(const uint8_t *field, size_t len, int64_t *ret)
{
  return field[0] & 0x80 ? base256(field, len, ret) : octal(field, len, ret);
}

bool zl_tar_number(const uint8_t *field, size_t len, uint64_t *ret)
{
  int64_t value;

  if (!number(field, len, &value) || value < 0)
    return false;
  *ret = (uint64_t)value;
  return true;
}

/* Historic writers summed signed characters; every reader accepts both sums. The field itself
 * counts as blanks. */
static bool checksum_matches(const uint8_t *block)
{
  uint32_t plain = ID_LEN * ' ', negative = 0;
  int64_t stored;

  for (size_t i = 0; i < ZL_TAR_BLOCK; i++) {
    plain += block[i];
    negative += block[i] >> 7;
  }
  for (size_t i = SUM_AT; i < SUM_AT + ID_LEN; i++) {
    plain -= block[i];
    negative -= block[i] >> 7;
  }
  return octal(block + SUM_AT, ID_LEN, &stored) &&
         (stored == plain || stored == (int64_t)plain - 256 * (int64_t)negative);
}

static void copy_text(char *to, const uint8_t *field, size_t len)
{
  size_t n = strnlen((const char *)field, len);

  memcpy(to, field, n);
  to[n] = '\0';
}

/* Only POSIX archives have a prefix: GNU keeps other things in its place. */
static void join_name(const uint8_t *block, char name[257])
{
  char prefix[PREFIX_LEN + 1] = "";
  size_t len;

  if (memcmp(block + MAGIC_AT, "ustar\0", 6) == 0) {
    bool star = memcmp(block + STAR_MAGIC_AT, "tar\0", 4) == 0;

    copy_text(prefix, block + PREFIX_AT, star ? STAR_PREFIX_LEN : PREFIX_LEN);
  }
  len = strlen(prefix);
  memcpy(name, prefix, len);
  if (len > 0)
    name[len++] = '/';
  copy_text(name + len, block + NAME_AT, NAME_LEN);
}

/* -1 as a user id means "leave as it is" to chown: the last usable one is one less
 * (CVE-2024-40635 is what a wrapped id leads to). */
static int id_field(const uint8_t *field, const char *what, uint32_t *ret, struct zl_error *err)
{
  uint64_t value;

  if (!zl_tar_number(field, ID_LEN, &value) || value >= UINT32_MAX)
    return zl_fail(err, ZL_E_CORRUPT, 0, "field '%s' is not a number that fits", what);
  *ret = (uint32_t)value;
  return 0;
}

static int device_fields(const uint8_t *block, struct zl_tar_header *ret, struct zl_error *err)
{
  int r;

  if ((ret->type != '3' && ret->type != '4') || memcmp(block + MAGIC_AT, "ustar", 5) != 0)
    return 0;
  r = id_field(block + MAJOR_AT, "devmajor", &ret->major, err);
  return r < 0 ? r : id_field(block + MINOR_AT, "devminor", &ret->minor, err);
}

int zl_tar_header_parse(const uint8_t *block, struct zl_tar_header *ret, struct zl_error *err)
{
  struct zl_tar_header h = { .type = (char)block[TYPE_AT] };
  uint64_t mode;
  int r;

  if (!checksum_matches(block))
    return zl_fail(err, ZL_E_CORRUPT, 0, "not a tar header: its checksum is wrong");
  join_name(block, h.name);
  copy_text(h.link, block + LINK_AT, LINK_LEN);
  if (!zl_tar_number(block + SIZE_AT, LONG_LEN, &h.size))
    return zl_fail(err, ZL_E_CORRUPT, 0, "field 'size' is not a number that fits");
  if (!number(block + MTIME_AT, LONG_LEN, &h.mtime))
    return zl_fail(err, ZL_E_CORRUPT, 0, "field 'mtime' is not a number that fits");
  if (!zl_tar_number(block + MODE_AT, ID_LEN, &mode))
    return zl_fail(err, ZL_E_CORRUPT, 0, "field 'mode' is not a number that fits");
  h.mode = (uint32_t)mode & 07777; /* many writers store the file type there as well */
  r = id_field(block + UID_AT, "uid", &h.uid, err);
  if (r < 0)
    return r;
  r = id_field(block + GID_AT, "gid", &h.gid, err);
  if (r < 0)
    return r;
  r = device_fields(block, &h, err);
  if (r < 0)
    return r;
  *ret = h;
  return 0;
}
