/* SPDX-License-Identifier: Apache-2.0 */
#include "image/erofs/xattr.h"

#include <string.h>

#include "base/cleanup.h"
#include "image/erofs/disk.h"

enum {
  INDEX_USER = 1,
  INDEX_ACL_ACCESS = 2,
  INDEX_ACL_DEFAULT = 3,
  INDEX_TRUSTED = 4,
  INDEX_SECURITY = 6,
  ALIGN = 4,
  MAX_VALUE = UINT16_MAX,
  MAX_UNITS = UINT16_MAX /* of 4 bytes, as the inode counts them */
};

static const struct prefix {
  const char *text;
  uint8_t index;
  bool whole; /* nothing follows */
} prefixes[] = {
  { "user.", INDEX_USER, false },
  { "system.posix_acl_access", INDEX_ACL_ACCESS, true },
  { "system.posix_acl_default", INDEX_ACL_DEFAULT, true },
  { "trusted.", INDEX_TRUSTED, false },
  { "security.", INDEX_SECURITY, false },
};

int zl_xattrs_add(struct zl_buf *list, const char *name, const void *value, size_t len,
                  struct zl_error *err)
{
  uint32_t value_len = (uint32_t)len;
  size_t before = list->len;
  int r = zl_buf_append(list, name, strlen(name) + 1, err);

  if (r == 0)
    r = zl_buf_append(list, &value_len, sizeof(value_len), err);
  if (r == 0)
    r = zl_buf_append(list, value, len, err);
  if (r < 0)
    list->len = before;
  return r;
}

bool zl_xattrs_next(const char **at, const char *end, const char **ret_name, const void **ret_value,
                    size_t *ret_len)
{
  const char *p = *at;
  uint32_t len;

  if (p == end)
    return false;
  *ret_name = p;
  p += strlen(p) + 1;
  memcpy(&len, p, sizeof(len));
  p += sizeof(len);
  *ret_value = p;
  *ret_len = len;
  *at = p + len;
  return true;
}

static const struct prefix *find_prefix(const char *name)
{
  for (size_t i = 0; i < ZL_COUNT(prefixes); i++) {
    const struct prefix *p = &prefixes[i];
    size_t len = strlen(p->text);

    if (strncmp(name, p->text, len) == 0 && (p->whole == (name[len] == '\0')))
      return p;
  }
  return NULL;
}

static size_t entry_size(const struct prefix *prefix, const char *name, size_t value_len)
{
  size_t size = ZL_EROFS_XATTR_ENTRY + strlen(name) - strlen(prefix->text) + value_len;

  return (size + ALIGN - 1) / ALIGN * ALIGN;
}

/* Returns where the next entry goes. */
static uint8_t *encode_entry(uint8_t *to, const char *name, const void *value, size_t len)
{
  const struct prefix *prefix = find_prefix(name);
  const char *rest = name + strlen(prefix->text);
  size_t rest_len = strlen(rest);

  to[0] = (uint8_t)rest_len;
  to[1] = prefix->index;
  zl_le16(to + 2, (uint16_t)len);
  // NOLINTNEXTLINE(bugprone-not-null-terminated-result): a name on disk has its length beside it
  memcpy(to + ZL_EROFS_XATTR_ENTRY, rest, rest_len);
  memcpy(to + ZL_EROFS_XATTR_ENTRY + rest_len, value, len);
  return to + entry_size(prefix, name, len);
}

int zl_erofs_xattrs_size(const char *list, size_t len, size_t *ret, struct zl_error *err)
{
  const char *at = list, *end = list + len, *name;
  const void *value;
  size_t value_len, size = ZL_EROFS_XATTR_HEAD;

  if (len == 0) {
    *ret = 0;
    return 0;
  }
  while (zl_xattrs_next(&at, end, &name, &value, &value_len)) {
    const struct prefix *prefix = find_prefix(name);

    if (prefix == NULL)
      return zl_fail(err, ZL_E_UNSUPPORTED, 0, "EROFS cannot store the attribute '%.200s'", name);
    if (value_len > MAX_VALUE || strlen(name) - strlen(prefix->text) > UINT8_MAX)
      return zl_fail(err, ZL_E_LIMIT, 0, "an extended attribute has more than %d bytes", MAX_VALUE);
    size += entry_size(prefix, name, value_len);
  }
  if (size > ZL_EROFS_XATTR_HEAD + (size_t)ALIGN * (MAX_UNITS - 1))
    return zl_fail(err, ZL_E_LIMIT, 0, "its extended attributes have more than %d bytes",
                   ALIGN * (MAX_UNITS - 1));
  *ret = size;
  return 0;
}

void zl_erofs_xattrs_encode(const char *list, size_t len, uint8_t *to)
{
  const char *at = list, *end = list + len, *name;
  const void *value;
  size_t value_len;

  to += len > 0 ? ZL_EROFS_XATTR_HEAD : 0;
  while (zl_xattrs_next(&at, end, &name, &value, &value_len))
    to = encode_entry(to, name, value, value_len);
}

size_t zl_erofs_xattrs_head_size(const char *list, size_t len)
{
  const char *at = list, *end = list + len, *name;
  const void *value;
  size_t value_len, size = len > 0 ? ZL_EROFS_XATTR_HEAD : 0;

  while (zl_xattrs_next(&at, end, &name, &value, &value_len))
    size += sizeof(uint32_t);
  return size;
}

void zl_erofs_xattrs_encode_shared(const char *list, size_t len, uint8_t *head, uint8_t *entries)
{
  const char *at = list, *end = list + len, *name;
  const void *value;
  uint8_t *to = entries;
  size_t value_len, n = 0;

  while (zl_xattrs_next(&at, end, &name, &value, &value_len)) {
    zl_le32(head + ZL_EROFS_XATTR_HEAD + 4 * n++, (uint32_t)((to - entries) / ALIGN));
    to = encode_entry(to, name, value, value_len);
  }
  head[ZL_EROFS_XATTR_SHARED_COUNT] = (uint8_t)n;
}
