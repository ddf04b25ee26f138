/* SPDX-License-Identifier: Apache-2.0 */
#include "image/registry_auth.h"

#include <pthread.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/strv.h"
#include "base/time.h"
#include "image/auth_header.h"
#include "image/credentials.h"

enum {
  MAX_TOKEN_S = 24 * 3600,
  MAX_TARGETS = 64,     /* hosts and repositories of one pull: source and mirrors */
  DEFAULT_TOKEN_S = 60, /* when the server does not say how long */
  TOKEN_MARGIN_S = 5,   /* renewed this much before its end */
  CONNECT_MS = 15000
};

struct target {
  char *host, *repository, *source; /* source: NULL, or where blobs are mounted from */
  struct zl_credentials credentials;
  bool looked_up;
  char *header;        /* "Authorization: …", or NULL */
  uint64_t expires_ns; /* boot clock; UINT64_MAX: never */
};

struct zl_auth {
  pthread_mutex_t lock; /* held through a token exchange: other threads want the same token */
  char *host, *username, *password;
  const struct zl_registries *registries;
  uint32_t timeout_ms;
  int cancel_fd;
  struct target targets[MAX_TARGETS];
  size_t n_targets;
};

int zl_auth_new(const struct zl_auth_options *options, struct zl_auth **ret, struct zl_error *err)
{
  ZL_CLEANUP(zl_auth_freep) struct zl_auth *auth = calloc(1, sizeof(*auth));

  if (auth == NULL)
    return zl_fail_nomem(err, "credentials");
  (void)pthread_mutex_init(&auth->lock, NULL);
  auth->registries = options->registries;
  auth->timeout_ms = options->timeout_ms;
  auth->cancel_fd = options->cancel_fd;
  if (options->username != NULL && options->password != NULL) {
    auth->host = strdup(options->host);
    auth->username = strdup(options->username);
    auth->password = strdup(options->password);
    if (auth->host == NULL || auth->username == NULL || auth->password == NULL)
      return zl_fail_nomem(err, "credentials");
  }
  *ret = zl_steal_ptr(&auth);
  return 0;
}

static void wipe_free(char *text)
{
  if (text != NULL)
    explicit_bzero(text, strlen(text));
  free(text);
}

void zl_auth_free(struct zl_auth *auth)
{
  if (auth == NULL)
    return;
  for (size_t i = 0; i < auth->n_targets; i++) {
    struct target *t = &auth->targets[i];

    free(t->host);
    free(t->repository);
    free(t->source);
    zl_credentials_done(&t->credentials);
    wipe_free(t->header);
  }
  free(auth->host);
  wipe_free(auth->username);
  wipe_free(auth->password);
  (void)pthread_mutex_destroy(&auth->lock);
  free(auth);
}

static bool same_source(const char *a, const char *b)
{
  return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static struct target *find_target(struct zl_auth *auth, const struct zl_auth_target *want)
{
  for (size_t i = 0; i < auth->n_targets; i++)
    if (strcmp(auth->targets[i].host, want->host) == 0 &&
        strcmp(auth->targets[i].repository, want->repository) == 0 &&
        same_source(auth->targets[i].source, want->source))
      return &auth->targets[i];
  return NULL;
}

/* NULL: *err is filled. */
static struct target *ensure_target(struct zl_auth *auth, const struct zl_auth_target *want,
                                    struct zl_error *err)
{
  struct target *t = find_target(auth, want);

  if (t != NULL)
    return t;
  if (auth->n_targets >= MAX_TARGETS) {
    (void)zl_fail(err, ZL_E_LIMIT, 0, "more than %d registries in one pull", MAX_TARGETS);
    return NULL;
  }
  t = &auth->targets[auth->n_targets];
  t->host = strdup(want->host);
  t->repository = strdup(want->repository);
  t->source = want->source != NULL ? strdup(want->source) : NULL;
  if (t->host == NULL || t->repository == NULL || (t->source == NULL && want->source != NULL)) {
    zl_freep(&t->host);
    zl_freep(&t->repository);
    zl_freep(&t->source);
    (void)zl_fail_nomem(err, "credentials");
    return NULL;
  }
  auth->n_targets++;
  return t;
}

/* Given credentials are for one host; others are looked up once, and only when a host asks. */
static int look_up(struct zl_auth *auth, struct target *t, struct zl_error *err)
{
  if (t->looked_up)
    return 0;
  t->looked_up = true;
  if (auth->host == NULL || strcmp(auth->host, t->host) != 0) {
    zl_credentials_find(t->host, t->repository, &t->credentials);
    return 0;
  }
  t->credentials.username = strdup(auth->username);
  t->credentials.password = strdup(auth->password);
  return t->credentials.username != NULL && t->credentials.password != NULL
             ? 0
             : zl_fail_nomem(err, "credentials");
}

/* A server's or a file's text becomes a header line: a line break would start another one. */
static int keep_header(struct target *t, const char *scheme, const char *value, uint64_t expires_ns,
                       struct zl_error *err)
{
  for (const char *p = value; *p != '\0'; p++)
    if (*p <= ' ' || *p > '~')
      return zl_fail(err, ZL_E_REMOTE, 0, "the token of %s has characters that no token has",
                     t->host);
  wipe_free(t->header);
  t->header = zl_asprintf("Authorization: %s %s", scheme, value);
  t->expires_ns = expires_ns;
  return t->header != NULL ? 0 : zl_fail_nomem(err, "credentials");
}

static char *basic_value(const struct zl_credentials *c)
{
  char *pair = zl_asprintf("%s:%s", c->username, c->password);
  char *value = pair != NULL ? zl_base64_encode(pair, strlen(pair)) : NULL;

  wipe_free(pair);
  return value;
}

static int use_basic(struct target *t, const char *sent, struct zl_error *err)
{
  zl_autofree char *value = NULL;

  if (t->credentials.username == NULL)
    return zl_fail(err, ZL_E_AUTH, 0,
                   "%s wants a user name and a password: give them, or log in to it with docker or "
                   "podman",
                   t->host);
  if (sent != NULL)
    return zl_fail(err, ZL_E_AUTH, 0, "%s refused the credentials of user '%.64s'", t->host,
                   t->credentials.username);
  value = basic_value(&t->credentials);
  return value != NULL ? keep_header(t, "Basic", value, UINT64_MAX, err)
                       : zl_fail_nomem(err, "credentials");
}

/* ---- Bearer ---------------------------------------------------------------------------------- */

static int put_escaped(struct zl_buf *buf, const char *key, const char *value, char first,
                       struct zl_error *err)
{
  int r = zl_buf_printf(buf, err, "%c%s=", first, key);

  for (; r == 0 && *value != '\0'; value++) {
    unsigned char c = (unsigned char)*value;
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                 strchr("-._~", c) != NULL;

    r = zl_buf_printf(buf, err, plain ? "%c" : "%%%02X", c);
  }
  return r;
}

/* A challenge may name any scope; what is asked for are the repositories at work. Only scopes of
 * another kind ("aws") are the server's own business. */
static int put_query(struct zl_buf *buf, const struct zl_auth_target *target,
                     const struct zl_auth_challenge *c, char first, struct zl_error *err)
{
  zl_autofree char *own =
      zl_asprintf("repository:%s:%s", target->repository, target->push ? "pull,push" : "pull");
  zl_autofree char *source =
      target->source != NULL ? zl_asprintf("repository:%s:pull", target->source) : NULL;
  bool foreign = c->scope != NULL && *c->scope != '\0' && !zl_has_prefix(c->scope, "repository");
  int r = 0;

  if (own == NULL || (source == NULL && target->source != NULL))
    return zl_fail_nomem(err, "credentials");
  if (c->service != NULL) {
    r = put_escaped(buf, "service", c->service, first, err);
    first = '&';
  }
  if (r == 0)
    r = put_escaped(buf, "scope", foreign ? c->scope : own, first, err);
  return r < 0 || foreign || source == NULL ? r : put_escaped(buf, "scope", source, '&', err);
}

static int collect(void *ctx, const struct zl_http_reply *reply, const void *data, size_t len,
                   struct zl_error *err)
{
  (void)reply;
  return zl_buf_append(ctx, data, len, err);
}

static int parse_token(struct target *t, const struct zl_buf *body, struct zl_error *err)
{
  zl_autojson *json = NULL;
  const char *token = NULL;
  int64_t seconds = 0;

  if (zl_json_parse(body->data != NULL ? body->data : "", body->len, "token", &json, err) < 0 ||
      zl_json_get_string(json, "", "token", &token, err) < 0 ||
      ((token == NULL || *token == '\0') &&
       zl_json_get_string(json, "", "access_token", &token, err) < 0) ||
      zl_json_get_int(json, "", "expires_in", INT64_MIN, INT64_MAX, DEFAULT_TOKEN_S, &seconds,
                      err) < 0)
    return zl_fail(err, ZL_E_REMOTE, 0, "the token server's reply is malformed");
  if (token == NULL || *token == '\0')
    return zl_fail(err, ZL_E_REMOTE, 0, "the token server's reply has no token");
  if (seconds < DEFAULT_TOKEN_S)
    seconds = DEFAULT_TOKEN_S;
  if (seconds > MAX_TOKEN_S)
    seconds = MAX_TOKEN_S;
  return keep_header(t, "Bearer", token,
                     zl_time_boot() + (uint64_t)(seconds - TOKEN_MARGIN_S) * ZL_NS_PER_S, err);
}

/* The realm is written by the registry: it is a web address and nothing else, and not plain HTTP
 * unless that registry is trusted so far by configuration. */
static int parse_realm(const struct zl_auth_target *target, const char *realm, struct zl_url *ret,
                       struct zl_error *err)
{
  if (zl_url_parse(realm, ret, err) < 0)
    return zl_wrap(err, "realm of %s", target->host);
  if (ret->https || target->insecure)
    return 0;
  zl_url_done(ret);
  return zl_fail(err, ZL_E_AUTH, 0,
                 "%s sends credentials to '%.100s', which is not encrypted: refused", target->host,
                 realm);
}

static int ask_token_server(struct zl_auth *auth, struct zl_http *http, struct target *t,
                            const struct zl_auth_target *target, const struct zl_url *url,
                            const char *form, struct zl_error *err)
{
  zl_autobuf body = ZL_BUF_INIT((size_t)ZL_MAX_HTTP_TOKEN);
  zl_autoreply reply = ZL_HTTP_REPLY_INIT;
  zl_autofree char *basic = NULL, *line = NULL;
  const struct zl_registry_config *config = zl_registries_find_url(auth->registries, url);
  const char *headers[] = { NULL, NULL };
  int r;

  if (form == NULL && t->credentials.username != NULL) {
    basic = basic_value(&t->credentials);
    line = basic != NULL ? zl_asprintf("Authorization: Basic %s", basic) : NULL;
    if (line == NULL)
      return zl_fail_nomem(err, "credentials");
    headers[0] = line;
  }
  const struct zl_http_request request = {
    .url = url,
    .headers = headers,
    .form = form,
    .tls = config != NULL ? &config->tls : target->tls,
    .skip_verify = (config != NULL && config->insecure) || target->insecure,
    .max_body = ZL_MAX_HTTP_TOKEN,
    .connect_ms = CONNECT_MS,
    .stall_ms = auth->timeout_ms,
    .total_ms = auth->timeout_ms,
    .cancel_fd = auth->cancel_fd,
    .body = collect,
    .ctx = &body,
  };

  r = zl_http_run(http, &request, &reply, err);
  if (r < 0)
    return zl_wrap(err, "token server of %s", t->host);
  if (reply.status != 200)
    return zl_fail(err, reply.status >= 500 ? ZL_E_REMOTE : ZL_E_AUTH, 0,
                   "%s gave no token for %s/%s: status %d%s", url->host, t->host, t->repository,
                   reply.status, t->credentials.username != NULL ? "" : " (without credentials)");
  r = parse_token(t, &body, err);
  if (body.data != NULL)
    explicit_bzero(body.data, body.len);
  return r < 0 ? zl_wrap(err, "%s", url->host) : 0;
}

static int use_bearer(struct zl_auth *auth, struct zl_http *http, struct target *t,
                      const struct zl_auth_target *target, const struct zl_auth_challenge *c,
                      struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT((size_t)ZL_MAX_HTTP_TOKEN);
  zl_autourl url = { 0 };
  int r = parse_realm(target, c->realm, &url, err);

  if (r < 0)
    return r;
  if (t->credentials.identity_token != NULL) {
    r = zl_buf_puts(&text, "grant_type=refresh_token&client_id=zlayer", err);
    if (r == 0)
      r = put_escaped(&text, "refresh_token", t->credentials.identity_token, '&', err);
    if (r == 0)
      r = put_query(&text, target, c, '&', err);
    r = r < 0 ? r : ask_token_server(auth, http, t, target, &url, text.data, err);
    if (text.data != NULL)
      explicit_bzero(text.data, text.len);
    return r;
  }
  r = zl_buf_puts(&text, url.path, err);
  if (r == 0)
    r = put_query(&text, target, c, strchr(url.path, '?') != NULL ? '&' : '?', err);
  if (r < 0)
    return r;
  free(url.path);
  url.path = zl_buf_steal(&text);
  return url.path != NULL ? ask_token_server(auth, http, t, target, &url, NULL, err)
                          : zl_fail_nomem(err, "credentials");
}

/* ---- The interface --------------------------------------------------------------------------- */

int zl_auth_header(struct zl_auth *auth, const struct zl_auth_target *target, char **ret,
                   struct zl_error *err)
{
  const struct target *t;
  char *copy = NULL;
  int r = 0;

  (void)pthread_mutex_lock(&auth->lock);
  t = find_target(auth, target);
  if (t != NULL && t->header != NULL && zl_time_boot() < t->expires_ns) {
    copy = strdup(t->header);
    r = copy != NULL ? 0 : zl_fail_nomem(err, "credentials");
  }
  (void)pthread_mutex_unlock(&auth->lock);
  if (r == 0)
    *ret = copy;
  return r;
}

static int respond(struct zl_auth *auth, struct zl_http *http, const struct zl_auth_target *target,
                   const char *www_authenticate, const char *sent, struct zl_error *err)
{
  zl_autochallenge c = { 0 };
  struct target *t;
  int r;

  if (www_authenticate == NULL)
    return zl_fail(err, ZL_E_AUTH, 0, "%s refuses access without saying how to get it",
                   target->host);
  t = ensure_target(auth, target, err);
  if (t == NULL)
    return -(int)err->code;
  r = zl_auth_challenge_parse(www_authenticate, &c, err);
  if (r == 0)
    r = look_up(auth, t, err);
  if (r < 0)
    return r;
  /* Another thread may have got a newer token while this one waited. */
  if (t->header != NULL && zl_time_boot() < t->expires_ns &&
      (sent == NULL || strcmp(sent, t->header) != 0))
    return 0;
  if (c.scheme == ZL_AUTH_BASIC)
    return use_basic(t, sent, err);
  return use_bearer(auth, http, t, target, &c, err);
}

int zl_auth_respond(struct zl_auth *auth, struct zl_http *http, const struct zl_auth_target *target,
                    const char *www_authenticate, const char *sent, struct zl_error *err)
{
  int r;

  (void)pthread_mutex_lock(&auth->lock);
  r = respond(auth, http, target, www_authenticate, sent, err);
  (void)pthread_mutex_unlock(&auth->lock);
  return r;
}
