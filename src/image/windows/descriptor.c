/* SPDX-License-Identifier: Apache-2.0 */
#include "image/windows/descriptor.h"

#include <stdint.h>

#include "image/windows/little.h"

enum {
  HEADER = 20, /* revision, reserved, control, four offsets */
  CONTROL_AT = 2,
  OWNER_AT = 4,
  GROUP_AT = 8,
  SACL_AT = 12,
  DACL_AT = 16,
  SELF_RELATIVE = 0x8000,
  SID_HEADER = 8,
  SID_MAX_PARTS = 15,
  ACL_HEADER = 8,
  ACL_REVISION_MIN = 2,
  ACL_REVISION_MAX = 4,
  ACE_HEADER = 4
};

static bool is_sid(const uint8_t *p, size_t left)
{
  return left >= SID_HEADER && p[0] == 1 && p[1] <= SID_MAX_PARTS &&
         left >= SID_HEADER + (size_t)p[1] * 4;
}

static bool is_acl(const uint8_t *p, size_t left)
{
  size_t size, count, at = ACL_HEADER;

  if (left < ACL_HEADER || p[0] < ACL_REVISION_MIN || p[0] > ACL_REVISION_MAX)
    return false;
  size = zl_little_get16(p + 2);
  count = zl_little_get16(p + 4);
  if (size < ACL_HEADER || size > left)
    return false;
  for (size_t i = 0; i < count; i++) {
    size_t ace = size - at >= ACE_HEADER ? zl_little_get16(p + at + 2) : 0;

    if (ace < ACE_HEADER || ace % 4 != 0 || ace > size - at)
      return false;
    at += ace;
  }
  return true;
}

typedef bool (*part_fn)(const uint8_t *p, size_t left);

/* 0: there is none. Everything lies behind the header, on a boundary. */
static bool is_part(const uint8_t *data, size_t len, size_t offset_at, part_fn check)
{
  size_t at = zl_little_get32(data + offset_at);

  return at == 0 || (at >= HEADER && at < len && at % 4 == 0 && check(data + at, len - at));
}

bool zl_win_descriptor_is_valid(const void *bytes, size_t len)
{
  const uint8_t *data = bytes;
  unsigned control;

  if (len < HEADER || len > ZL_WIN_MAX_DESCRIPTOR || data[0] != 1)
    return false;
  control = zl_little_get16(data + CONTROL_AT);
  if ((control & SELF_RELATIVE) == 0)
    return false;
  return is_part(data, len, OWNER_AT, is_sid) && is_part(data, len, GROUP_AT, is_sid) &&
         is_part(data, len, SACL_AT, is_acl) && is_part(data, len, DACL_AT, is_acl);
}
