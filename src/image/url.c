/* SPDX-License-Identifier: Apache-2.0 */
#include "image/url.h"

#include <ctype.h>
#include <string.h>

#include "base/limits.h"
#include "base/strv.h"

static bool is_host_char(char c)
{
  return isalnum((unsigned char)c) || c == '.' || c == '-' || c == '_';
}

/* The host's length at the start of `text`, 0 when there is none that is well formed. */
static size_t host_length(const char *text)
{
  size_t len = 0;

  if (*text == '[') {
    len = 1 + strspn(text + 1, "0123456789abcdefABCDEF:.");
    return text[len] == ']' && len > 2 ? len + 1 : 0;
  }
  while (is_host_char(text[len]))
    len++;
  return text[0] == '-' || text[0] == '.' ? 0 : len;
}

static bool parse_port(const char *text, size_t len, uint16_t *ret)
{
  char digits[6];
  uint64_t port;

  if (len == 0 || len >= sizeof(digits))
    return false;
  memcpy(digits, text, len);
  digits[len] = '\0';
  if (!zl_parse_u64(digits, UINT16_MAX, &port) || port == 0)
    return false;
  *ret = (uint16_t)port;
  return true;
}

/* Reads "host[:port]" of `len` bytes. */
static bool parse_authority(const char *text, size_t len, char host[ZL_URL_HOST],
                            uint16_t *ret_port)
{
  size_t n = host_length(text);

  if (n == 0 || n > len || n >= ZL_URL_HOST)
    return false;
  *ret_port = 0;
  if (n < len && (text[n] != ':' || !parse_port(text + n + 1, len - n - 1, ret_port)))
    return false;
  for (size_t i = 0; i < n; i++)
    host[i] = (char)tolower((unsigned char)text[i]);
  host[n] = '\0';
  return true;
}

int zl_host_parse(const char *text, char host[ZL_URL_HOST], uint16_t *ret_port,
                  struct zl_error *err)
{
  return parse_authority(text, strlen(text), host, ret_port)
             ? 0
             : zl_fail(err, ZL_E_INVALID, 0, "'%.100s' is not a host name with an optional port",
                       text);
}

/* A blank or control character could start another header line or confuse a second parser; a
 * backslash is a slash to some. */
static bool is_clean(const char *text)
{
  size_t len = 0;

  for (; text[len] != '\0'; len++)
    if (text[len] <= ' ' || text[len] == 0x7f || text[len] == '\\' || len >= ZL_MAX_URL)
      return false;
  return true;
}

static int refuse(const char *text, struct zl_error *err)
{
  return zl_fail(err, ZL_E_INVALID, 0, "'%.120s' is not an http or https address", text);
}

/* Fragments never go to a server. */
static char *copy_path(const char *text)
{
  size_t len = strcspn(text, "#");

  return zl_asprintf("%s%.*s", text[0] == '/' ? "" : "/", (int)len, text);
}

int zl_url_parse(const char *text, struct zl_url *ret, struct zl_error *err)
{
  struct zl_url url = { 0 };
  const char *authority;
  size_t len;

  if (strncasecmp(text, "https://", 8) == 0)
    url.https = true;
  else if (strncasecmp(text, "http://", 7) != 0)
    return refuse(text, err);
  authority = text + (url.https ? 8 : 7);
  len = strcspn(authority, "/?#");
  if (!is_clean(text) || !parse_authority(authority, len, url.host, &url.port))
    return refuse(text, err);
  if (url.port == 0)
    url.port = url.https ? 443 : 80;
  url.path = copy_path(authority + len);
  if (url.path == NULL)
    return zl_fail_nomem(err, "an address");
  *ret = url;
  return 0;
}

/* Everything of the base's path up to the last slash, or up to the query for "?query". */
static char *merge_path(const char *base, const char *location)
{
  size_t len = strcspn(base, "?");

  if (*location != '?')
    while (len > 0 && base[len - 1] != '/')
      len--;
  return zl_asprintf("%.*s%.*s", (int)len, base, (int)strcspn(location, "#"), location);
}

int zl_url_resolve(const struct zl_url *base, const char *location, struct zl_url *ret,
                   struct zl_error *err)
{
  struct zl_url url = *base;

  if (!is_clean(location) || *location == '\0')
    return refuse(location, err);
  if (strstr(location, "://") != NULL && location[strcspn(location, ":/?#")] == ':')
    return zl_url_parse(location, ret, err);
  if (zl_has_prefix(location, "//")) {
    zl_autofree char *text = zl_asprintf("%s:%s", base->https ? "https" : "http", location);

    return text != NULL ? zl_url_parse(text, ret, err) : zl_fail_nomem(err, "an address");
  }
  if (location[strcspn(location, ":/?#")] == ':')
    return refuse(location, err);
  url.path = *location == '/' ? copy_path(location) : merge_path(base->path, location);
  if (url.path == NULL)
    return zl_fail_nomem(err, "an address");
  *ret = url;
  return 0;
}

char *zl_url_render(const struct zl_url *url)
{
  const char *scheme = url->https ? "https" : "http";

  if (url->port == (url->https ? 443 : 80))
    return zl_asprintf("%s://%s%s", scheme, url->host, url->path);
  return zl_asprintf("%s://%s:%u%s", scheme, url->host, (unsigned)url->port, url->path);
}

void zl_url_done(struct zl_url *url)
{
  zl_freep(&url->path);
}

bool zl_url_same_origin(const struct zl_url *a, const struct zl_url *b)
{
  return a->https == b->https && a->port == b->port && strcmp(a->host, b->host) == 0;
}

bool zl_host_is_loopback(const char *host)
{
  return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
         (zl_has_prefix(host, "127.") && strspn(host, "0123456789.") == strlen(host));
}
