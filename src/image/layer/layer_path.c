/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/layer_path.h"

#include <stdio.h>
#include <string.h>

static int over(const char *raw, const char *what, int limit, struct zl_error *err)
{
  char quoted[ZL_LAYER_QUOTE];

  return zl_fail(err, ZL_E_LIMIT, 0, "'%s': %s, the limit is %d", zl_layer_quote(raw, quoted), what,
                 limit);
}

int zl_layer_path_clean(const char *raw, char out[ZL_LAYER_PATH], bool *ret_climbs,
                        struct zl_error *err)
{
  size_t len = 0, depth = 0;
  bool climbs = false;

  out[0] = '\0';
  for (const char *p = raw; *p != '\0';) {
    size_t n = strcspn(p, "/");

    if (n == 2 && p[0] == '.' && p[1] == '.') {
      climbs = true;
      len = zl_layer_path_parent(out);
      depth -= depth > 0;
    } else if (n > ZL_MAX_LAYER_NAME) {
      return over(raw, "a name is too long", ZL_MAX_LAYER_NAME, err);
    } else if (n > 1 || (n == 1 && p[0] != '.')) {
      if (++depth > ZL_MAX_LAYER_DEPTH)
        return over(raw, "too many directories", ZL_MAX_LAYER_DEPTH, err);
      if (len + (len > 0) + n > ZL_MAX_LAYER_PATH)
        return over(raw, "the path is too long", ZL_MAX_LAYER_PATH, err);
      if (len > 0)
        out[len++] = '/';
      memcpy(out + len, p, n);
      len += n;
    }
    out[len] = '\0';
    p += n + (p[n] == '/');
  }
  if (ret_climbs != NULL)
    *ret_climbs = climbs;
  return 0;
}

size_t zl_layer_path_parent(const char *path)
{
  const char *slash = strrchr(path, '/');

  return slash != NULL ? (size_t)(slash - path) : 0;
}

const char *zl_layer_path_name(const char *path)
{
  const char *slash = strrchr(path, '/');

  return slash != NULL ? slash + 1 : path;
}

const char *zl_layer_quote(const char *text, char out[ZL_LAYER_QUOTE])
{
  size_t at = 0;

  for (; *text != '\0' && at + 8 < ZL_LAYER_QUOTE; text++) {
    unsigned char c = (unsigned char)*text;

    if (c >= 0x20 && c < 0x7f && c != '\\')
      out[at++] = (char)c;
    else
      at += (size_t)snprintf(out + at, 5, "\\x%02x", c);
  }
  (void)snprintf(out + at, ZL_LAYER_QUOTE - at, "%s", *text != '\0' ? "..." : "");
  return out;
}
