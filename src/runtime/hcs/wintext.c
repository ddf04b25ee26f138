/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/hcs/wintext.h"

#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/strv.h"

#define NAMESPACE "\\\\?\\"
#define VOLUME    NAMESPACE "Volume{"

static char lower(char c)
{
  return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool zl_wintext_equal_n(const char *a, const char *b, size_t len)
{
  for (size_t i = 0; i < len; i++) {
    if (lower(a[i]) != lower(b[i]))
      return false;
    if (a[i] == '\0')
      return true;
  }
  return true;
}

bool zl_wintext_equal(const char *a, const char *b)
{
  return zl_wintext_equal_n(a, b, SIZE_MAX);
}

bool zl_wintext_has_prefix(const char *text, const char *prefix)
{
  return zl_wintext_equal_n(text, prefix, strlen(prefix));
}

/* ---- Unicode ---- */

/* Bytes of the character at `p`, 0: none begins there. */
static size_t character(const unsigned char *p)
{
  static const struct {
    size_t len;
    uint32_t least;
    unsigned char mask, lead;
  } forms[] = { { 1, 0, 0x80, 0x00 },
                { 2, 0x80, 0xe0, 0xc0 },
                { 3, 0x800, 0xf0, 0xe0 },
                { 4, 0x10000, 0xf8, 0xf0 } };

  for (size_t f = 0; f < ZL_COUNT(forms); f++) {
    uint32_t value;

    if ((p[0] & forms[f].mask) != forms[f].lead)
      continue;
    value = p[0] & (unsigned char)~forms[f].mask;
    for (size_t i = 1; i < forms[f].len; i++) {
      if ((p[i] & 0xc0) != 0x80)
        return 0;
      value = value << 6 | (p[i] & 0x3f);
    }
    if (value < forms[f].least || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
      return 0;
    return forms[f].len;
  }
  return 0;
}

bool zl_wintext_units(const char *text, size_t *ret)
{
  const unsigned char *p = (const unsigned char *)text;
  size_t units = 0;

  while (*p != '\0') {
    size_t len = character(p);

    if (len == 0)
      return false;
    units += len == 4 ? 2 : 1; /* a pair of surrogates */
    p += len;
  }
  *ret = units;
  return true;
}

static bool has_control(const char *text)
{
  for (; *text != '\0'; text++)
    if ((unsigned char)*text < ' ' || *text == 0x7f)
      return true;
  return false;
}

int zl_wintext_check(const char *text, const char *field, size_t max, struct zl_error *err)
{
  size_t units;

  if (!zl_wintext_units(text, &units))
    return zl_fail(err, ZL_E_INVALID, 0, "%s: not UTF-8, which Windows needs", field);
  if (has_control(text))
    return zl_fail(err, ZL_E_INVALID, 0, "%s: has a control character", field);
  if (units >= max)
    return zl_fail(err, ZL_E_LIMIT, 0, "%s: %zu characters of UTF-16, Windows takes at most %zu",
                   field, units, max - 1);
  return 0;
}

/* ---- Identifiers and paths ---- */

static bool is_guid_n(const char *text)
{
  for (size_t i = 0; i < ZL_WIN_GUID; i++) {
    bool dash = i == 8 || i == 13 || i == 18 || i == 23;

    if (dash ? text[i] != '-'
             : !((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f')))
      return false;
  }
  return true;
}

bool zl_win_is_guid(const char *text)
{
  return text != NULL && strlen(text) == ZL_WIN_GUID && is_guid_n(text);
}

bool zl_win_is_volume(const char *text)
{
  const size_t prefix = sizeof(VOLUME) - 1;

  if (text == NULL || strlen(text) != prefix + ZL_WIN_GUID + 2 ||
      strncmp(text, VOLUME, prefix) != 0 || strcmp(text + prefix + ZL_WIN_GUID, "}\\") != 0)
    return false;
  for (size_t i = 0; i < ZL_WIN_GUID; i++) {
    bool dash = i == 8 || i == 13 || i == 18 || i == 23;

    /* The mount manager writes them in either case. */
    if (dash ? text[prefix + i] != '-' : strchr("0123456789abcdefABCDEF", text[prefix + i]) == NULL)
      return false;
  }
  return true;
}

static bool is_drive(const char *path)
{
  return lower(path[0]) >= 'a' && lower(path[0]) <= 'z' && path[1] == ':';
}

/* No name holds these; "/" Windows would not take for a separator after \\?\. */
static bool has_forbidden(const char *path)
{
  return has_control(path) || strpbrk(path, "/<>:\"|?*") != NULL;
}

static bool has_dots(const char *path)
{
  while (*path != '\0') {
    size_t len = strcspn(path, "\\");

    if ((len == 1 && path[0] == '.') || (len == 2 && path[0] == '.' && path[1] == '.'))
      return true;
    path += len;
    path += *path == '\\' ? 1 : 0;
  }
  return false;
}

bool zl_win_is_absolute(const char *path)
{
  const char *rest;

  if (path == NULL)
    return false;
  rest = path + (zl_has_prefix(path, NAMESPACE) ? sizeof(NAMESPACE) - 1 : 0);
  if (rest[0] != '\0' && is_drive(rest) && rest[2] == '\\')
    rest += 3;
  else if (rest == path || *rest == '\\' || *rest == '\0')
    return false;
  return !has_forbidden(rest) && !has_dots(rest);
}

int zl_win_check_path(const char *path, const char *field, struct zl_error *err)
{
  if (path == NULL || *path == '\0')
    return zl_fail(err, ZL_E_INVALID, 0, "%s: no path", field);
  if (!zl_win_is_absolute(path))
    return zl_fail(err, ZL_E_INVALID, 0, "%s: '%.200s' is not an absolute path of Windows", field,
                   path);
  return zl_wintext_check(path, field, ZL_WIN_MAX_PATH, err);
}

/* ---- Paths in a container ---- */

static int append_parts(struct zl_buf *buf, const char *path, struct zl_error *err)
{
  int r = 0;

  while (r == 0 && *path != '\0') {
    size_t len = strcspn(path, "\\/");

    if (len > 0 && !(len == 1 && path[0] == '.')) {
      if (buf->data[buf->len - 1] != '\\')
        r = zl_buf_append(buf, "\\", 1, err);
      if (r == 0)
        r = zl_buf_append(buf, path, len, err);
    }
    path += len;
    path += *path != '\0' ? 1 : 0;
  }
  return r;
}

static bool is_separator(char c)
{
  return c == '\\' || c == '/';
}

int zl_win_container_path(const char *path, const char *field, char **ret, struct zl_error *err)
{
  zl_autobuf buf = ZL_BUF_INIT((size_t)4 * ZL_WIN_MAX_PATH);
  bool drive = path[0] != '\0' && is_drive(path);
  const char *rest = drive ? path + 2 : path;
  char *text;
  int r;

  if (drive && *rest != '\0' && !is_separator(*rest))
    return zl_fail(err, ZL_E_INVALID, 0, "%s: '%.200s' depends on a drive's current directory",
                   field, path);
  if (!drive && is_separator(path[0]) && is_separator(path[1]))
    return zl_fail(err, ZL_E_INVALID, 0, "%s: '%.200s' is not below a drive of the container",
                   field, path);
  r = zl_buf_printf(&buf, err, "%c:\\", drive ? path[0] : 'C');
  if (r == 0)
    r = append_parts(&buf, rest, err);
  if (r < 0)
    return r;
  text = buf.data;
  if (has_forbidden(text + 3) || has_dots(text + 3))
    return zl_fail(err, ZL_E_INVALID, 0,
                   "%s: '%.200s' has \"..\" or a character that no name on Windows has", field,
                   path);
  r = zl_wintext_check(text, field, ZL_WIN_MAX_PATH, err);
  if (r < 0)
    return r;
  text = zl_buf_steal(&buf);
  if (text == NULL)
    return zl_fail_nomem(err, field);
  *ret = text;
  return 0;
}
