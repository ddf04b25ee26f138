/* SPDX-License-Identifier: Apache-2.0 */
#include "image/windows/reparse.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/strv.h"
#include "image/windows/little.h"
#include "image/windows/text.h"

#define TAG_MOUNT_POINT UINT32_C(0xA0000003)
#define TAG_SYMLINK     UINT32_C(0xA000000C)

enum {
  HEADER = 8, /* tag, length, reserved */
  NAMES = 8,  /* offset and length of both */
  RELATIVE = 1,
  VOLUME_LEN = 44 /* of "Volume{GUID}" */
};

static bool has_drive(const char *path)
{
  return ((path[0] | 0x20) >= 'a' && (path[0] | 0x20) <= 'z') && path[1] == ':' && path[2] == '\\';
}

static bool is_volume(const char *path)
{
  const char *close = strchr(path, '}');

  return strncasecmp(path, "Volume{", 7) == 0 && close != NULL && close - path == VOLUME_LEN - 1 &&
         strspn(path + 7, "0123456789abcdefABCDEF-") == VOLUME_LEN - 8 && close[1] == '\\';
}

/* Text with backslashes that every reader of it takes alike. NULL or the fault. */
static const char *characters_fault(const char *path)
{
  const char *colon = strchr(path, ':');

  for (const char *p = path; *p != '\0';) {
    uint32_t c = zl_win_text_next(&p);

    if (c == UINT32_MAX)
      return "a target that is not UTF-8";
    if (c < 0x20)
      return "a control character in the target";
  }
  if (colon != NULL && (strchr(colon + 1, ':') != NULL || colon == path || colon[1] != '\\'))
    return "a target with a stream, or relative to a drive";
  return NULL;
}

/* How the object manager spells it: *ret_prefix, and what follows of the target. */
static const char *spell(const char *path, bool mount_point, const char **ret_prefix,
                         const char **ret_rest)
{
  *ret_prefix = "\\??\\";
  *ret_rest = path;
  if (zl_has_prefix(path, "\\\\?\\")) {
    *ret_rest = path + 4;
    if (!has_drive(path + 4) && !is_volume(path + 4) &&
        (mount_point || strncasecmp(path + 4, "UNC\\", 4) != 0))
      return "a target in the namespace of devices";
    return NULL;
  }
  if (zl_has_prefix(path, "\\\\.\\") || zl_has_prefix(path, "\\??\\"))
    return "a target in the namespace of devices";
  if (has_drive(path))
    return NULL;
  if (strchr(path, ':') != NULL)
    return "a target with a stream, or relative to a drive";
  if (mount_point)
    return "a mount point to what is no directory of a volume";
  *ret_prefix = zl_has_prefix(path, "\\\\") ? "\\??\\UNC\\" : "";
  *ret_rest = zl_has_prefix(path, "\\\\") ? path + 2 : path;
  return NULL;
}

/* One name with a NUL behind it; its length without. */
static int put_name(struct zl_buf *buf, const char *prefix, const char *text, size_t *ret_len)
{
  size_t start = buf->len;
  int r = zl_win_text_put(buf, prefix, NULL);

  if (r == 0)
    r = zl_win_text_put(buf, text, NULL);
  *ret_len = buf->len - start;
  return r == 0 ? zl_buf_append(buf, "\0", 2, NULL) : r;
}

static const char *put(struct zl_buf *buf, const char *path, const char *prefix, const char *rest,
                       bool mount_point)
{
  const size_t start = buf->len, head = HEADER + NAMES + (mount_point ? 0 : 4);
  uint8_t fixed[HEADER + NAMES + 4] = { 0 };
  size_t target, print;

  if (zl_buf_append(buf, fixed, head, NULL) < 0 || put_name(buf, prefix, rest, &target) < 0 ||
      put_name(buf, "", path, &print) < 0 || buf->len - start > ZL_WIN_MAX_REPARSE)
    return "a target that is too long";
  zl_little_put(fixed, mount_point ? TAG_MOUNT_POINT : TAG_SYMLINK, 4);
  zl_little_put(fixed + 4, buf->len - start - HEADER, 2);
  zl_little_put(fixed + 10, target, 2);
  zl_little_put(fixed + 12, target + 2, 2);
  zl_little_put(fixed + 14, print, 2);
  zl_little_put(fixed + 16, *prefix == '\0' ? RELATIVE : 0, 4);
  memcpy(buf->data + start, fixed, head);
  return NULL;
}

const char *zl_win_reparse_put(struct zl_buf *buf, const char *target, bool mount_point)
{
  const char *prefix = "", *rest = "", *fault;
  zl_autofree char *path = strdup(target);

  if (path == NULL)
    return "no memory";
  for (char *p = path; *p != '\0'; p++)
    if (*p == '/')
      *p = '\\';
  fault = characters_fault(path);
  if (fault == NULL)
    fault = spell(path, mount_point, &prefix, &rest);
  return fault != NULL ? fault : put(buf, path, prefix, rest, mount_point);
}
