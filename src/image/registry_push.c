/* SPDX-License-Identifier: Apache-2.0 */
#include "image/registry_push.h"

#include <string.h>

#include "base/log.h"
#include "base/strv.h"
#include "image/registry_call.h"
#include "image/route.h"

enum {
  CHUNK = 8 << 20,
  MAX_CHUNK = 1 << 30, /* that a registry may ask for as its least */
  MAX_REPLY = 1 << 20,
  TOO_LARGE = 413
};

#define OCTETS "Content-Type: application/octet-stream"

struct zl_pusher {
  struct zl_caller caller;
  struct zl_patience patience;
  struct zl_route route; /* its last stop is the registry itself */
  struct zl_endpoint endpoint;
  struct zl_http *http;
  int cancel_fd;
};

void zl_pusher_free(struct zl_pusher *p)
{
  if (p == NULL)
    return;
  zl_http_free(p->http);
  zl_endpoint_done(&p->endpoint);
  zl_route_done(&p->route);
  zl_caller_done(&p->caller);
  free(p);
}

int zl_pusher_open(const struct zl_registry_options *options, struct zl_pusher **ret,
                   struct zl_error *err)
{
  struct zl_pusher *p = calloc(1, sizeof(*p));
  struct zl_registry_options own = *options;
  int r;

  if (p == NULL)
    return zl_fail_nomem(err, "a registry");
  /* A registry that has got a large blob hashes and moves it before it answers. */
  p->patience = *options->patience;
  if (p->patience.stall_ms < p->patience.small_ms)
    p->patience.stall_ms = p->patience.small_ms;
  own.patience = &p->patience;
  r = zl_caller_init(&p->caller, &own, err);
  if (r == 0)
    r = zl_route_find(options->registries, options->ref, &p->route, err);
  if (r == 0)
    r = zl_endpoint_init(&p->endpoint, &p->route.stops[p->route.count - 1], err);
  if (r == 0)
    r = zl_http_new(&p->http, err);
  if (r < 0) {
    zl_pusher_free(p);
    return r;
  }
  p->endpoint.push = true;
  p->cancel_fd = options->cancel_fd;
  *ret = p;
  return 0;
}

/* ---- Calls ----------------------------------------------------------------------------------- */

/* Until it succeeds, or another try would not help. */
static int call(struct zl_pusher *p, struct zl_call *c, struct zl_http_reply *reply,
                struct zl_error *err)
{
  c->max_body = MAX_REPLY;
  c->cancel_fd = p->cancel_fd;
  for (unsigned count = 1;; count++) {
    int r = zl_call_run(&p->caller, p->http, c, reply, err);

    if (r == 0)
      return 0;
    r = zl_call_back_off(&p->caller, c, reply, count, err);
    if (r < 0)
      return r;
  }
}

static int call_path(struct zl_pusher *p, const char *method, const char *source, const char *path,
                     struct zl_http_reply *reply, struct zl_error *err)
{
  struct zl_call c = { .method = method,
                       .source = source,
                       .endpoint = &p->endpoint,
                       .path = path,
                       .total_ms = p->patience.small_ms };

  return path != NULL ? call(p, &c, reply, err) : zl_fail_nomem(err, "a request");
}

int zl_pusher_has(struct zl_pusher *p, const char *digest, uint64_t size, bool *ret,
                  struct zl_error *err)
{
  zl_autofree char *path = zl_asprintf("/v2/%s/blobs/%s", p->endpoint.repository, digest);
  zl_autoreply reply = ZL_HTTP_REPLY_INIT;
  const char *length;
  uint64_t bytes = size;
  int r = call_path(p, "HEAD", NULL, path, &reply, err);

  if (r == -ZL_E_NOT_FOUND) {
    *ret = false;
    return 0;
  }
  if (r < 0)
    return r;
  length = zl_http_header(&reply, "content-length");
  *ret = length == NULL || (zl_parse_u64(length, UINT64_MAX, &bytes) && bytes == size);
  return 0;
}

/* ---- Uploads --------------------------------------------------------------------------------- */

/* Where the next bytes of an upload go: it is the registry that says so, each time anew. */
struct upload {
  struct zl_url at; /* path NULL: nowhere */
  bool own;         /* our registry itself: it gets our credentials */
  uint64_t chunk;
};

static void upload_done(struct upload *u)
{
  zl_url_done(&u->at);
}

static int take_location(struct zl_pusher *p, struct upload *u, const char *from,
                         const struct zl_http_reply *reply, struct zl_error *err)
{
  const char *location = zl_http_header(reply, "location");
  const struct zl_registry_config *config;
  struct zl_url base = u->at.path != NULL ? u->at : p->endpoint.origin, next;
  char path[ZL_MAX_URL];

  (void)snprintf(path, sizeof(path), "%s", u->at.path != NULL ? u->at.path : from);
  base.path = path;
  if (location == NULL)
    return zl_fail(err, ZL_E_REMOTE, 0, "%s does not say where an upload goes", base.host);
  if (zl_url_resolve(&base, location, &next, err) < 0)
    return zl_fail(err, ZL_E_REMOTE, 0, "%s sends an upload to '%.120s': refused", base.host,
                   location);
  zl_url_done(&u->at);
  u->at = next;
  u->own = zl_url_same_origin(&u->at, &p->endpoint.origin);
  config = zl_registries_find_url(p->caller.registries, &u->at);
  if (u->own || u->at.https || (config != NULL && config->insecure))
    return 0;
  return zl_fail(err, ZL_E_REMOTE, 0, "%s sends an upload over plain HTTP to '%.120s': refused",
                 base.host, location);
}

/* A call to the place of the upload; nobody but our registry gets credentials. */
static struct zl_call upload_call(struct zl_pusher *p, const struct upload *u, const char *method,
                                  const struct zl_url *url)
{
  struct zl_call c = {
    .method = method, .max_body = MAX_REPLY, .cancel_fd = p->cancel_fd, .headers = { OCTETS }
  };

  c.endpoint = u->own ? &p->endpoint : NULL;
  c.url = u->own ? NULL : url;
  c.path = url->path;
  return c;
}

static int begin(struct zl_pusher *p, struct upload *u, struct zl_error *err)
{
  zl_autofree char *path = zl_asprintf("/v2/%s/blobs/uploads/", p->endpoint.repository);
  zl_autoreply reply = ZL_HTTP_REPLY_INIT;
  const char *least;
  int r = call_path(p, "POST", NULL, path, &reply, err);

  if (r < 0)
    return r;
  least = zl_http_header(&reply, "oci-chunk-min-length");
  if (least == NULL || !zl_parse_u64(least, MAX_CHUNK, &u->chunk) || u->chunk < CHUNK)
    u->chunk = CHUNK;
  return take_location(p, u, path, &reply, err);
}

/* So that the registry need not wait until it forgets the upload by itself. */
static void cancel(struct zl_pusher *p, const struct upload *u)
{
  zl_autoreply reply = ZL_HTTP_REPLY_INIT;
  struct zl_error ignored;
  struct zl_call c;

  if (u->at.path == NULL)
    return;
  c = upload_call(p, u, "DELETE", &u->at);
  c.headers[0] = NULL;
  c.total_ms = p->patience.small_ms;
  if (zl_call_run(&p->caller, p->http, &c, &reply, &ignored) < 0)
    zl_debug("an upload to %s was not taken back: %s", u->at.host, ignored.msg);
}

/* The last request of an upload names the digest, and may carry the content. */
static int finish(struct zl_pusher *p, const struct upload *u, const char *digest,
                  const struct zl_http_upload *content, struct zl_http_reply *reply,
                  struct zl_error *err)
{
  const char *colon = strchr(digest, ':');
  zl_autofree char *path =
      zl_asprintf("%s%cdigest=%.*s%%3A%s", u->at.path, strchr(u->at.path, '?') != NULL ? '&' : '?',
                  (int)(colon - digest), digest, colon + 1);
  struct zl_url url = u->at;
  struct zl_call c;

  if (path == NULL)
    return zl_fail_nomem(err, "a request");
  url.path = path;
  c = upload_call(p, u, "PUT", &url);
  c.upload = content;
  return zl_call_run(&p->caller, p->http, &c, reply, err);
}

struct part {
  const struct zl_push_blob *blob;
  uint64_t before; /* sent by earlier requests */
};

static int on_sent(void *ctx, uint64_t sent, struct zl_error *err)
{
  const struct part *part = ctx;

  return part->blob->sent != NULL ? part->blob->sent(part->blob->ctx, part->before + sent, err) : 0;
}

static struct zl_http_upload content_of(struct part *part, uint64_t size)
{
  const struct zl_push_blob *b = part->blob;

  return (struct zl_http_upload){ .data =
                                      b->data != NULL ? (const char *)b->data + part->before : NULL,
                                  .fd = b->fd,
                                  .offset = part->before,
                                  .size = size,
                                  .sent = on_sent,
                                  .ctx = part };
}

static int put_whole(struct zl_pusher *p, struct upload *u, const struct zl_push_blob *blob,
                     struct zl_http_reply *reply, struct zl_error *err)
{
  struct part part = { blob, 0 };
  const struct zl_http_upload content = content_of(&part, blob->size);

  return finish(p, u, blob->digest, &content, reply, err);
}

static int put_chunk(struct zl_pusher *p, struct upload *u, struct part *part, uint64_t size,
                     struct zl_http_reply *reply, struct zl_error *err)
{
  const struct zl_http_upload content = content_of(part, size);
  zl_autofree char *range =
      zl_asprintf("Content-Range: %llu-%llu", (unsigned long long)part->before,
                  (unsigned long long)(part->before + size - 1));
  struct zl_call c = upload_call(p, u, "PATCH", &u->at);
  int r;

  if (range == NULL)
    return zl_fail_nomem(err, "a request");
  c.headers[1] = range;
  c.upload = &content;
  r = zl_call_run(&p->caller, p->http, &c, reply, err);
  return r < 0 ? r : take_location(p, u, NULL, reply, err);
}

static int put_chunks(struct zl_pusher *p, struct upload *u, const struct zl_push_blob *blob,
                      struct zl_http_reply *reply, struct zl_error *err)
{
  struct part part = { blob, 0 };
  int r = 0;

  while (r == 0 && part.before < blob->size) {
    uint64_t left = blob->size - part.before, size = left < u->chunk ? left : u->chunk;

    r = put_chunk(p, u, &part, size, reply, err);
    part.before += size;
  }
  return r < 0 ? r : finish(p, u, blob->digest, NULL, reply, err);
}

/* One upload from its beginning to its end. */
static int put_once(struct zl_pusher *p, const struct zl_push_blob *blob, bool chunked,
                    struct zl_http_reply *reply, struct zl_error *err)
{
  ZL_CLEANUP(upload_done) struct upload u = { .own = false };
  int r = begin(p, &u, err);

  if (r < 0) {
    reply->failure = ZL_HTTP_FINAL; /* `begin` has tried again where that helps */
    return r;
  }
  r = chunked ? put_chunks(p, &u, blob, reply, err) : put_whole(p, &u, blob, reply, err);
  if (r < 0)
    cancel(p, &u);
  return r;
}

int zl_pusher_put(struct zl_pusher *p, const struct zl_push_blob *blob, struct zl_error *err)
{
  const struct zl_call waiting = { .cancel_fd = p->cancel_fd };
  zl_autoreply reply = ZL_HTTP_REPLY_INIT;
  bool chunked = false;

  for (unsigned count = 1;; count++) {
    int r = put_once(p, blob, chunked, &reply, err);

    if (r == 0)
      return 0;
    if (reply.status == TOO_LARGE && !chunked && blob->size > CHUNK) {
      chunked = true;
      continue;
    }
    r = zl_call_back_off(&p->caller, &waiting, &reply, count, err);
    if (r < 0)
      return zl_wrap(err, "uploading %s", blob->digest);
  }
}

int zl_pusher_mount(struct zl_pusher *p, const char *digest, const char *from, bool *ret,
                    struct zl_error *err)
{
  zl_autofree char *path =
      zl_asprintf("/v2/%s/blobs/uploads/?mount=%s&from=%s", p->endpoint.repository, digest, from);
  ZL_CLEANUP(upload_done) struct upload u = { .own = false };
  zl_autoreply reply = ZL_HTTP_REPLY_INIT;
  int r = call_path(p, "POST", from, path, &reply, err);

  *ret = r == 0 && reply.status == 201;
  if (r == 0 && !*ret && take_location(p, &u, path, &reply, NULL) == 0)
    cancel(p, &u);
  /* Not ours to read, not there any more: the blob comes another way. */
  return r == -ZL_E_CANCELLED || r == -ZL_E_TIMEOUT || r == -ZL_E_NO_MEMORY ? r : 0;
}

/* ---- Manifests ------------------------------------------------------------------------------- */

int zl_pusher_put_manifest(struct zl_pusher *p, const char *name, const char *media_type,
                           const struct zl_buf *text, const char *digest, struct zl_error *err)
{
  zl_autofree char *path = zl_asprintf("/v2/%s/manifests/%s", p->endpoint.repository, name);
  zl_autofree char *type = zl_asprintf("Content-Type: %s", media_type);
  const struct zl_http_upload content = { .data = text->data, .size = text->len };
  zl_autoreply reply = ZL_HTTP_REPLY_INIT;
  struct zl_call c = { .method = "PUT",
                       .upload = &content,
                       .endpoint = &p->endpoint,
                       .path = path,
                       .headers = { type },
                       .total_ms = p->patience.small_ms };
  const char *made;
  int r;

  if (path == NULL || type == NULL)
    return zl_fail_nomem(err, "a manifest");
  r = call(p, &c, &reply, err);
  if (r < 0)
    return zl_wrap(err, "manifest '%s'", name);
  made = zl_http_header(&reply, "docker-content-digest");
  if (made == NULL || strcmp(made, digest) == 0 || !zl_has_prefix(made, "sha256:"))
    return 0;
  return zl_fail(err, ZL_E_REMOTE, 0, "%s stored manifest '%s' as %.80s, it is %s",
                 p->endpoint.origin.host, name, made, digest);
}
