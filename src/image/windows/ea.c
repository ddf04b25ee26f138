/* SPDX-License-Identifier: Apache-2.0 */
#include "image/windows/ea.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "image/windows/little.h"

enum {
  HEADER = 8, /* next entry, flags, length of the name, length of the value */
  NAME_LEN_AT = 5,
  VALUE_LEN_AT = 6,
  ALIGNMENT = 4
};

static const char *name_fault(const char *name, size_t len)
{
  if (len == 0 || len > ZL_WIN_EA_NAME)
    return "a name of no bytes, or of more than 254";
  for (size_t i = 0; i < len; i++)
    if (name[i] <= ' ' || name[i] > '~' || strchr("\"*+,/:;<=>?[\\]|", name[i]) != NULL)
      return "a character that no name of an extended attribute may have";
  return NULL;
}

static bool has(const struct zl_buf *list, const char *name)
{
  const uint8_t *p = (const uint8_t *)list->data;

  for (size_t at = 0; at < list->len; at += zl_little_get32(p + at))
    if (strcasecmp((const char *)p + at + HEADER, name) == 0)
      return true;
  return false;
}

const char *zl_win_ea_add(struct zl_buf *list, const char *name, const void *value, size_t len)
{
  const char *fault = name_fault(name, strlen(name));
  size_t name_len = strlen(name), size = HEADER + name_len + 1 + len;
  size_t padded = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  uint8_t *p;

  if (fault != NULL)
    return fault;
  if (len > UINT16_MAX || padded >= ZL_WIN_MAX_EA - list->len)
    return "more extended attributes than a file may have";
  if (has(list, name))
    return "there twice";
  if (zl_buf_reserve(list, padded, NULL) < 0)
    return "no memory";
  p = (uint8_t *)list->data + list->len;
  memset(p, 0, padded);
  zl_little_put(p, padded, 4);
  p[NAME_LEN_AT] = (uint8_t)name_len;
  zl_little_put(p + VALUE_LEN_AT, len, 2);
  memcpy(p + HEADER, name, name_len + 1);
  memcpy(p + HEADER + name_len + 1, value, len);
  list->len += padded;
  return NULL;
}

int zl_win_ea_end(struct zl_buf *list, struct zl_error *err)
{
  uint8_t *p = (uint8_t *)list->data;
  size_t at = 0, next;

  if (list->len == 0)
    return 0;
  while ((next = zl_little_get32(p + at)) < list->len - at) {
    if (next == 0)
      return zl_fail(err, ZL_E_INTERNAL, 0, "a list of extended attributes that has ended");
    at += next;
  }
  zl_little_put(p + at, 0, 4);
  return 0;
}
