/* SPDX-License-Identifier: Apache-2.0 */
#include "image/registry_call.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/strv.h"
#include "base/time.h"
#include "image/retry_after.h"

enum {
  MAX_AUTH_TRIES = 2, /* a token, and one more when it was about to expire */
  SHOWN_MESSAGE = 200
};

const struct zl_patience zl_patience_default = {
  .connect_ms = 15000,
  .stall_ms = 30000,
  .small_ms = 120000,
  .backoff_ms = 250,
  .wait_max_ms = 60000,
  .tries = 5,
};

/* ---- The caller ------------------------------------------------------------------------------ */

int zl_caller_init(struct zl_caller *caller, const struct zl_registry_options *options,
                   struct zl_error *err)
{
  const struct zl_auth_options auth = {
    .host = options->ref->registry,
    .username = options->username,
    .password = options->password,
    .registries = options->registries,
    .timeout_ms = options->patience->small_ms,
    .cancel_fd = options->cancel_fd,
  };

  *caller = (struct zl_caller){ .registries = options->registries,
                                .patience = options->patience,
                                .cancel_fd = options->cancel_fd };
  (void)pthread_mutex_init(&caller->lock, NULL);
  return zl_auth_new(&auth, &caller->auth, err);
}

void zl_caller_done(struct zl_caller *caller)
{
  for (size_t i = 0; i < caller->n_idle; i++)
    zl_http_free(caller->idle[i]);
  zl_auth_free(caller->auth);
  (void)pthread_mutex_destroy(&caller->lock);
}

int zl_caller_take(struct zl_caller *caller, struct zl_http **ret, struct zl_error *err)
{
  struct zl_http *http = NULL;

  (void)pthread_mutex_lock(&caller->lock);
  if (caller->n_idle > 0)
    http = caller->idle[--caller->n_idle];
  (void)pthread_mutex_unlock(&caller->lock);
  if (http == NULL)
    return zl_http_new(ret, err);
  *ret = http;
  return 0;
}

void zl_caller_give(struct zl_caller *caller, struct zl_http *http)
{
  (void)pthread_mutex_lock(&caller->lock);
  if (caller->n_idle < ZL_MAX_IDLE_CLIENTS) {
    caller->idle[caller->n_idle++] = http;
    http = NULL;
  }
  (void)pthread_mutex_unlock(&caller->lock);
  zl_http_free(http);
}

/* ---- Endpoints ------------------------------------------------------------------------------- */

int zl_endpoint_init(struct zl_endpoint *endpoint, const struct zl_stop *stop, struct zl_error *err)
{
  /* The name in references is not the name of the machine; docker's client knows this one too. */
  const char *machine = strcmp(stop->host, "docker.io") == 0 ? "registry-1.docker.io" : stop->host;
  struct zl_endpoint e = { .insecure = stop->insecure, .tags = stop->resolves, .stop = stop };
  int r = zl_host_parse(machine, e.origin.host, &e.origin.port, err);

  if (r < 0)
    return r;
  e.origin.https = !stop->http;
  e.may_fall_back = e.insecure && !stop->http;
  e.default_port = e.origin.port == 0;
  if (e.default_port)
    e.origin.port = stop->http ? 80 : 443;
  e.host = strdup(stop->host);
  e.repository = strdup(stop->repository);
  if (e.host == NULL || e.repository == NULL) {
    zl_endpoint_done(&e);
    return zl_fail_nomem(err, "a registry");
  }
  *endpoint = e;
  return 0;
}

void zl_endpoint_done(struct zl_endpoint *endpoint)
{
  zl_freep(&endpoint->host);
  zl_freep(&endpoint->repository);
}

/* "/v2/…" below the API of that server, and for whom it stands in. */
static char *path_of(const struct zl_call *call)
{
  const struct zl_stop *stop = call->endpoint != NULL ? call->endpoint->stop : NULL;

  if (stop == NULL)
    return strdup(call->url->path);
  return zl_asprintf("%s%s%s%s", stop->api != NULL ? stop->api : "/v2", call->path + strlen("/v2"),
                     stop->ns == NULL                  ? ""
                     : strchr(call->path, '?') != NULL ? "&ns="
                                                       : "?ns=",
                     stop->ns != NULL ? stop->ns : "");
}

static int endpoint_url(struct zl_caller *caller, const struct zl_call *call, struct zl_url *ret,
                        struct zl_error *err)
{
  char *path = path_of(call);

  if (path == NULL)
    return zl_fail_nomem(err, "an address");
  (void)pthread_mutex_lock(&caller->lock);
  *ret = call->url != NULL ? *call->url : call->endpoint->origin;
  (void)pthread_mutex_unlock(&caller->lock);
  ret->path = path;
  return 0;
}

/* An insecure registry may speak plain HTTP only. TLS is tried first, because the other way round a
 * password could go over the wire of a registry that has TLS. */
static bool fall_back(struct zl_caller *caller, struct zl_endpoint *endpoint,
                      const struct zl_http_reply *reply)
{
  bool fallen = false;

  if (endpoint == NULL || (reply->failure != ZL_HTTP_NO_TLS && reply->failure != ZL_HTTP_REFUSED))
    return false;
  (void)pthread_mutex_lock(&caller->lock);
  if (endpoint->may_fall_back) {
    fallen = true;
    endpoint->may_fall_back = false;
    endpoint->origin.https = false;
    if (endpoint->default_port)
      endpoint->origin.port = 80;
  }
  (void)pthread_mutex_unlock(&caller->lock);
  return fallen;
}

static void has_answered(struct zl_caller *caller, struct zl_endpoint *endpoint)
{
  (void)pthread_mutex_lock(&caller->lock);
  endpoint->may_fall_back = false;
  (void)pthread_mutex_unlock(&caller->lock);
}

/* ---- One exchange ---------------------------------------------------------------------------- */

struct body {
  const struct zl_call *call;
  struct zl_buf text; /* of a reply that is no success */
};

static void body_done(struct body *body)
{
  zl_buf_done(&body->text);
}

static int on_body(void *ctx, const struct zl_http_reply *reply, const void *data, size_t len,
                   struct zl_error *err)
{
  struct body *body = ctx;
  size_t room = body->text.max - body->text.len;

  if (reply->status >= 200 && reply->status < 300)
    return body->call->body != NULL ? body->call->body(body->call->ctx, reply, data, len, err) : 0;
  if (zl_buf_append(&body->text, data, len < room ? len : room, err) < 0)
    return -ZL_E_NO_MEMORY;
  return len < room ? 0 : 1; /* an endless error page has said enough */
}

/* Certificates for whoever is asked: the endpoint's own go to its host alone, also when it
 * redirects to itself. */
static const struct zl_tls *tls_for(const struct zl_call *call, const struct zl_url *url,
                                    const struct zl_registry_config *config)
{
  const struct zl_endpoint *e = call->endpoint;

  if (e != NULL && !zl_tls_is_empty(&e->stop->tls) && strcmp(url->host, e->origin.host) == 0)
    return &e->stop->tls;
  return config != NULL ? &config->tls : NULL;
}

/* The call's, the credentials, and those that configuration wants sent to this very server. */
static const char **gather_headers(const struct zl_call *call, const char *auth, bool own)
{
  char *const *more = own ? call->endpoint->stop->headers : NULL;
  const size_t max = ZL_MAX_CALL_HEADERS + 2 + zl_strv_len((const char *const *)more);
  const char **headers = calloc(max, sizeof(*headers));
  size_t n = 0;

  if (headers == NULL)
    return NULL;
  while (n < ZL_MAX_CALL_HEADERS && call->headers[n] != NULL) {
    headers[n] = call->headers[n];
    n++;
  }
  for (; more != NULL && *more != NULL; more++)
    headers[n++] = *more;
  headers[n] = auth;
  return headers;
}

/* `own`: the request goes where configuration says, not where a reply has sent us. */
static int exchange(struct zl_caller *caller, struct zl_http *http, const struct zl_call *call,
                    const struct zl_url *url, const char *auth, bool own, struct body *body,
                    struct zl_http_reply *reply, struct zl_error *err)
{
  const struct zl_registry_config *config = zl_registries_find_url(caller->registries, url);
  const struct zl_patience *patience = caller->patience;
  const uint32_t dial_ms = own ? call->endpoint->stop->dial_ms : 0;
  zl_autofree const char **headers = gather_headers(call, auth, own);
  const struct zl_http_request request = {
    .method = call->method,
    .upload = call->upload,
    .url = url,
    .headers = headers,
    .tls = tls_for(call, url, config),
    .skip_verify = (config != NULL && config->insecure) || (own && call->endpoint->insecure),
    .proxy = own ? call->endpoint->stop->proxy : NULL,
    .max_body = call->max_body,
    .connect_ms = dial_ms != 0 ? dial_ms : patience->connect_ms,
    .stall_ms = patience->stall_ms,
    .total_ms = call->total_ms,
    .cancel_fd = call->cancel_fd,
    .body = on_body,
    .ctx = body,
  };

  if (headers == NULL)
    return zl_fail_nomem(err, "request headers");
  zl_buf_clear(&body->text);
  return zl_http_run(http, &request, reply, err);
}

static bool is_redirect(int status)
{
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static int follow(struct zl_caller *caller, const struct zl_call *call,
                  const struct zl_http_reply *reply, struct zl_url *url, struct zl_error *err)
{
  const char *location = zl_http_header(reply, "location");
  const struct zl_registry_config *config;
  struct zl_url next;

  if (location == NULL)
    return zl_fail(err, ZL_E_REMOTE, 0, "%s redirects to nowhere", url->host);
  if (zl_url_resolve(url, location, &next, err) < 0)
    return zl_fail(err, ZL_E_REMOTE, 0, "%s redirects to '%.120s': refused", url->host, location);
  config = zl_registries_find_url(caller->registries, &next);
  if (!next.https && !(config != NULL && config->insecure) &&
      !(call->endpoint != NULL && call->endpoint->insecure)) {
    zl_url_done(&next);
    return zl_fail(err, ZL_E_REMOTE, 0, "%s redirects to plain HTTP at '%.120s': refused",
                   url->host, location);
  }
  zl_url_done(url);
  *url = next;
  return 0;
}

/* ---- Statuses -------------------------------------------------------------------------------- */

/* The first message of {"errors":[{"code","message"}]}. */
static void error_message(const struct zl_buf *text, char ret[SHOWN_MESSAGE])
{
  zl_autojson *root = NULL;
  json_t *first;
  const char *message = NULL;

  ret[0] = '\0';
  if (text->len == 0 || zl_json_parse(text->data, text->len, "reply", &root, NULL) < 0)
    return;
  first = json_array_get(json_object_get(root, "errors"), 0);
  message = json_string_value(json_object_get(first, "message"));
  if (message == NULL || *message == '\0')
    message = json_string_value(json_object_get(first, "code"));
  if (message == NULL)
    return;
  (void)snprintf(ret, SHOWN_MESSAGE, ": %s", message);
}

static int check_status(const struct zl_call *call, const struct zl_url *url,
                        const struct body *body, struct zl_http_reply *reply, struct zl_error *err)
{
  const char *repository = call->endpoint != NULL ? call->endpoint->repository
                           : call->method != NULL ? "an upload"
                                                  : "a foreign layer";
  const int status = reply->status;
  char message[SHOWN_MESSAGE];

  if (status >= 200 && status < 300)
    return 0;
  error_message(&body->text, message);
  if (status == 401 || status == 403)
    return zl_fail(err, ZL_E_AUTH, 0,
                   "%s denies access to %s (status %d%s): it may not exist, or need a login",
                   url->host, repository, status, message);
  if (status == 404)
    return zl_fail(err, ZL_E_NOT_FOUND, 0, "%s does not have it: %s (status 404%s)", url->host,
                   repository, message);
  if (status == 429 || status == 408 || status >= 500)
    reply->failure = ZL_HTTP_TRANSIENT;
  if (status == 429)
    return zl_fail(err, ZL_E_REMOTE, 0, "%s limits the rate of requests (status 429%s)", url->host,
                   message);
  return zl_fail(err, ZL_E_REMOTE, 0, "%s answers with status %d%s", url->host, status, message);
}

static struct zl_auth_target target_of(const struct zl_call *call)
{
  const struct zl_endpoint *endpoint = call->endpoint;

  return (struct zl_auth_target){ .host = endpoint->host,
                                  .repository = endpoint->repository,
                                  .insecure = endpoint->insecure,
                                  .tls = &endpoint->stop->tls,
                                  .push = endpoint->push,
                                  .source = call->source };
}

static int respond_auth(struct zl_caller *caller, struct zl_http *http, const struct zl_call *call,
                        const struct zl_http_reply *reply, const char *sent, struct zl_error *err)
{
  const struct zl_auth_target target = target_of(call);

  return zl_auth_respond(caller->auth, http, &target, zl_http_header(reply, "www-authenticate"),
                         sent, err);
}

static int own_header(struct zl_caller *caller, const struct zl_call *call, char **ret,
                      struct zl_error *err)
{
  const struct zl_auth_target target = target_of(call);

  return zl_auth_header(caller->auth, &target, ret, err);
}

int zl_call_run(struct zl_caller *caller, struct zl_http *http, const struct zl_call *call,
                struct zl_http_reply *reply, struct zl_error *err)
{
  ZL_CLEANUP(body_done) struct body body = { call, ZL_BUF_INIT((size_t)ZL_MAX_HTTP_ERROR) };
  zl_autourl url = { 0 };
  unsigned hops = 0, auth_tries = 0;
  int r = endpoint_url(caller, call, &url, err);

  while (r == 0) {
    /* Whoever we were sent to, also if that is our host again, gets no credentials. */
    const bool own = call->endpoint != NULL && hops == 0;
    zl_autofree char *auth = NULL;

    if (own && own_header(caller, call, &auth, err) < 0)
      return -ZL_E_NO_MEMORY;
    r = exchange(caller, http, call, &url, auth, own, &body, reply, err);
    if (r < 0) {
      if (!own || !fall_back(caller, call->endpoint, reply))
        break;
      zl_url_done(&url);
      r = endpoint_url(caller, call, &url, err);
    } else if (is_redirect(reply->status) && call->method != NULL &&
               strcmp(call->method, "HEAD") != 0) {
      r = zl_fail(err, ZL_E_REMOTE, 0, "%s redirects what is sent to it: refused", url.host);
    } else if (is_redirect(reply->status)) {
      r = ++hops > ZL_MAX_REDIRECTS ? zl_fail(err, ZL_E_REMOTE, 0, "%s: more than %d redirects",
                                              url.host, ZL_MAX_REDIRECTS)
                                    : follow(caller, call, reply, &url, err);
    } else if (reply->status == 401 && own && auth_tries++ < MAX_AUTH_TRIES) {
      has_answered(caller, call->endpoint);
      r = respond_auth(caller, http, call, reply, auth, err);
    } else {
      if (own)
        has_answered(caller, call->endpoint);
      return check_status(call, &url, &body, reply, err);
    }
  }
  if (r == -ZL_E_REMOTE && reply->failure == ZL_HTTP_NO_TLS)
    return zl_fail(err, ZL_E_REMOTE, 0,
                   "%s:%u: no TLS connection; a registry without TLS needs 'insecure: true' under "
                   "'registries' in config.yaml",
                   url.host, (unsigned)url.port);
  return r;
}

/* ---- Tries ----------------------------------------------------------------------------------- */

static int wait_ms(int cancel_fd, uint64_t ms, struct zl_error *err)
{
  uint64_t deadline = zl_time_boot() + ms * ZL_NS_PER_MS, now;

  while ((now = zl_time_boot()) < deadline) {
    struct pollfd p = { .fd = cancel_fd, .events = POLLIN };
    int n = poll(&p, cancel_fd >= 0 ? 1 : 0, (int)((deadline - now) / ZL_NS_PER_MS) + 1);

    if (n > 0)
      return zl_fail(err, ZL_E_CANCELLED, 0, "cancelled");
    if (n < 0 && errno != EINTR)
      return zl_fail_errno(err, "waiting for the next try");
  }
  return 0;
}

int zl_call_back_off(const struct zl_caller *caller, const struct zl_call *call,
                     const struct zl_http_reply *reply, unsigned count, struct zl_error *err)
{
  const struct zl_patience *patience = caller->patience;
  const char *after = zl_http_header(reply, "retry-after");
  const int failure = -(int)err->code;
  uint64_t ms = patience->backoff_ms, seconds;

  /* A failed handshake is tried once more: mostly it is the wrong protocol, rarely a reset. */
  if (reply->failure == ZL_HTTP_FINAL || count >= patience->tries ||
      (reply->failure == ZL_HTTP_NO_TLS && count >= 2))
    return failure;
  for (unsigned i = 1; i < count && ms < patience->wait_max_ms; i++)
    ms *= 2;
  ms += zl_time_boot() / 1024 % (ms / 4 + 1); /* so that the threads of a pull do not march */
  if (after != NULL && zl_retry_after_parse(after, zl_time_wall() / ZL_NS_PER_S, &seconds)) {
    if (seconds * 1000 > patience->wait_max_ms)
      return zl_wrap(err, "it asks to wait %llu s", (unsigned long long)seconds);
    ms = seconds * 1000;
  }
  return wait_ms(call->cancel_fd, ms < patience->wait_max_ms ? ms : patience->wait_max_ms, err);
}
