/* SPDX-License-Identifier: Apache-2.0
 *
 * RFC 9110 §11: challenges are "scheme key=value, key="quoted", …" and are themselves separated by
 * commas, so a token without "=" after a comma starts the next challenge.
 */
#include "image/auth_header.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/limits.h"

enum {
  MAX_PARAMS = 32 /* of the whole header; real ones have three */
};

struct scanner {
  const char *at;
  unsigned params;
};

static bool is_token_char(char c)
{
  return isalnum((unsigned char)c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static void skip(struct scanner *s, const char *set)
{
  s->at += strspn(s->at, set);
}

static size_t scan_token(struct scanner *s, const char **ret)
{
  size_t len = 0;

  *ret = s->at;
  while (is_token_char(s->at[len]))
    len++;
  s->at += len;
  return len;
}

/* A quoted string or a token, unescaped, as a new string. Control characters are refused: the value
 * becomes part of a request. */
static int scan_value(struct scanner *s, char **ret, struct zl_error *err)
{
  zl_autobuf value = ZL_BUF_INIT(ZL_MAX_URL);
  const bool quoted = *s->at == '"';
  int r = 0;

  s->at += quoted ? 1 : 0;
  while (r == 0 &&
         (quoted ? *s->at != '"'
                 : (is_token_char(*s->at) || *s->at == '/' || *s->at == ':' || *s->at == '='))) {
    if (quoted && *s->at == '\\')
      s->at++;
    if ((unsigned char)*s->at < ' ' || *s->at == 0x7f)
      return zl_fail(err, ZL_E_REMOTE, 0, "WWW-Authenticate: malformed value");
    r = zl_buf_append(&value, s->at++, 1, err);
  }
  if (r < 0)
    return zl_wrap(err, "WWW-Authenticate");
  s->at += quoted ? 1 : 0;
  *ret = zl_buf_steal(&value);
  return *ret != NULL ? 0 : zl_fail_nomem(err, "WWW-Authenticate");
}

static int keep_param(struct zl_auth_challenge *c, const char *key, size_t len, char **value,
                      struct zl_error *err)
{
  char **slot = NULL;

  if (len == 5 && strncasecmp(key, "realm", len) == 0)
    slot = &c->realm;
  else if (len == 7 && strncasecmp(key, "service", len) == 0)
    slot = &c->service;
  else if (len == 5 && strncasecmp(key, "scope", len) == 0)
    slot = &c->scope;
  if (slot == NULL)
    return 0;
  if (*slot != NULL)
    return zl_fail(err, ZL_E_REMOTE, 0, "WWW-Authenticate: '%.*s' is given twice", (int)len, key);
  *slot = zl_steal_ptr(value);
  return 0;
}

/* The parameters after a scheme. Stops before the next challenge. */
static int scan_params(struct scanner *s, struct zl_auth_challenge *c, struct zl_error *err)
{
  for (;;) {
    zl_autofree char *value = NULL;
    const char *start, *key;
    size_t len;
    int r;

    skip(s, " \t,");
    start = s->at;
    len = scan_token(s, &key);
    skip(s, " \t");
    if (len == 0 && *s->at != '\0')
      return zl_fail(err, ZL_E_REMOTE, 0, "WWW-Authenticate is malformed");
    if (*s->at != '=') {
      s->at = start;
      return 0;
    }
    if (++s->params > MAX_PARAMS)
      return zl_fail(err, ZL_E_REMOTE, 0, "WWW-Authenticate: more than %d parameters", MAX_PARAMS);
    s->at++;
    skip(s, " \t");
    r = scan_value(s, &value, err);
    if (r == 0)
      r = keep_param(c, key, len, &value, err);
    if (r < 0)
      return r;
  }
}

/* Returns 1 when a challenge was read, 0 at the end. *ret_known: it is Basic or Bearer. */
static int scan_challenge(struct scanner *s, struct zl_auth_challenge *c, bool *ret_known,
                          struct zl_error *err)
{
  const char *name;
  size_t len;
  int r;

  skip(s, " \t,");
  if (*s->at == '\0')
    return 0;
  len = scan_token(s, &name);
  if (len == 0 || (*s->at != ' ' && *s->at != '\t' && *s->at != '\0' && *s->at != ','))
    return zl_fail(err, ZL_E_REMOTE, 0, "WWW-Authenticate is malformed");
  if (++s->params > MAX_PARAMS)
    return zl_fail(err, ZL_E_REMOTE, 0, "WWW-Authenticate: more than %d parts", MAX_PARAMS);
  *ret_known = true;
  if (len == 6 && strncasecmp(name, "bearer", len) == 0)
    c->scheme = ZL_AUTH_BEARER;
  else if (len == 5 && strncasecmp(name, "basic", len) == 0)
    c->scheme = ZL_AUTH_BASIC;
  else
    *ret_known = false;
  r = scan_params(s, c, err);
  return r < 0 ? r : 1;
}

int zl_auth_challenge_parse(const char *header, struct zl_auth_challenge *ret, struct zl_error *err)
{
  struct scanner s = { .at = header };
  bool have_basic = false;

  for (;;) {
    zl_autochallenge c = { 0 };
    bool known = false;
    int r = scan_challenge(&s, &c, &known, err);

    if (r < 0)
      return r;
    if (r == 0)
      break;
    if (!known)
      continue;
    if (c.scheme == ZL_AUTH_BEARER) {
      if (c.realm == NULL || *c.realm == '\0')
        return zl_fail(err, ZL_E_REMOTE, 0, "WWW-Authenticate: Bearer without a realm");
      *ret = c;
      c = (struct zl_auth_challenge){ 0 };
      return 0;
    }
    have_basic = true;
  }
  if (!have_basic)
    return zl_fail(err, ZL_E_REMOTE, 0,
                   "the registry asks for an authentication that is neither Basic nor Bearer");
  *ret = (struct zl_auth_challenge){ .scheme = ZL_AUTH_BASIC };
  return 0;
}

void zl_auth_challenge_done(struct zl_auth_challenge *challenge)
{
  zl_freep(&challenge->realm);
  zl_freep(&challenge->service);
  zl_freep(&challenge->scope);
}
