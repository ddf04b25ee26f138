/* SPDX-License-Identifier: Apache-2.0 */
#include "image/registry.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/strv.h"
#include "image/registry_call.h"

#define ACCEPT_MANIFESTS                                                        \
  "Accept: " ZL_MT_OCI_MANIFEST ", " ZL_MT_OCI_INDEX ", " ZL_MT_DOCKER_MANIFEST \
  ", " ZL_MT_DOCKER_LIST

struct registry {
  struct zl_source base;
  struct zl_caller caller;
  const struct zl_image_ref *ref;
  struct zl_endpoint *endpoints; /* mirrors in their order, the registry itself last */
  size_t n_endpoints;
};

static void registry_free(struct zl_source *source)
{
  struct registry *reg = (struct registry *)source;

  for (size_t i = 0; i < reg->n_endpoints; i++)
    zl_endpoint_done(&reg->endpoints[i]);
  free(reg->endpoints);
  zl_caller_done(&reg->caller);
  free(reg);
}

static bool is_last(const struct registry *reg, size_t i)
{
  return i + 1 == reg->n_endpoints;
}

/* A mirror's failure is not the user's: the next one is asked. A cancelled pull asks nobody. */
static bool try_next(const struct registry *reg, size_t i, const struct zl_error *err)
{
  if (is_last(reg, i) || err->code == ZL_E_CANCELLED || err->code == ZL_E_NO_MEMORY)
    return false;
  zl_debug("mirror %s is passed over: %s", reg->endpoints[i].host, err->msg);
  return true;
}

/* ---- Manifests ------------------------------------------------------------------------------- */

static int collect(void *ctx, const struct zl_http_reply *reply, const void *data, size_t len,
                   struct zl_error *err)
{
  const char *encoding = zl_http_header(reply, "content-encoding");

  /* Digests are of the bytes as stored; nobody asked for another form. */
  if (encoding != NULL && strcasecmp(encoding, "identity") != 0)
    return zl_fail(err, ZL_E_REMOTE, 0, "the reply is encoded with '%.40s'", encoding);
  return zl_buf_append(ctx, data, len, err);
}

static int fetch_manifest(struct registry *reg, struct zl_endpoint *endpoint, const char *name,
                          struct zl_document *ret, struct zl_error *err)
{
  zl_autofree char *path = zl_asprintf("/v2/%s/manifests/%s", endpoint->repository, name);
  zl_autoreply reply = ZL_HTTP_REPLY_INIT;
  struct zl_http *http = NULL;
  const char *type;
  int r;
  const struct zl_call call = {
    .endpoint = endpoint,
    .path = path,
    .headers = { ACCEPT_MANIFESTS },
    .max_body = ZL_MAX_JSON,
    .total_ms = reg->caller.patience->small_ms,
    .body = collect,
    .ctx = &ret->text,
  };

  if (path == NULL)
    return zl_fail_nomem(err, "a manifest");
  r = zl_caller_take(&reg->caller, &http, err);
  if (r < 0)
    return r;
  for (unsigned count = 1;; count++) {
    zl_buf_clear(&ret->text);
    r = zl_call_run(&reg->caller, http, &call, &reply, err);
    if (r == 0 || zl_call_back_off(&reg->caller, &reply, count, err) < 0)
      break;
  }
  zl_caller_give(&reg->caller, http);
  if (r < 0)
    return -(int)err->code;
  type = zl_http_header(&reply, "content-type");
  zl_freep(&ret->media_type);
  ret->media_type = type != NULL ? strdup(type) : NULL;
  return type == NULL || ret->media_type != NULL ? 0 : zl_fail_nomem(err, "a manifest");
}

/* The bytes have to be those that were asked for, from whichever endpoint. */
static int fetch_by_digest(struct registry *reg, const char *digest, struct zl_document *ret,
                           struct zl_error *err)
{
  int r = 0;

  for (size_t i = 0; i < reg->n_endpoints; i++) {
    r = fetch_manifest(reg, &reg->endpoints[i], digest, ret, err);
    if (r == 0)
      r = zl_digest_check(ret->text.data, ret->text.len, digest, "manifest", err);
    if (r == 0 || !try_next(reg, i, err))
      break;
  }
  return r;
}

static int fetch_by_tag(struct registry *reg, const char *tag, struct zl_document *ret,
                        struct zl_error *err)
{
  int r = 0;

  for (size_t i = 0; i < reg->n_endpoints; i++) {
    if (!is_last(reg, i) && !reg->endpoints[i].tags)
      continue;
    r = fetch_manifest(reg, &reg->endpoints[i], tag, ret, err);
    if (r == 0 || !try_next(reg, i, err))
      break;
  }
  return r;
}

static int registry_root(struct zl_source *source, struct zl_document *ret, struct zl_error *err)
{
  struct registry *reg = (struct registry *)source;
  int r;

  if (reg->ref->digest != NULL) {
    r = fetch_by_digest(reg, reg->ref->digest, ret, err);
    if (r == 0)
      (void)snprintf(ret->digest, sizeof(ret->digest), "%s", reg->ref->digest);
    return r;
  }
  r = fetch_by_tag(reg, reg->ref->tag, ret, err);
  return r < 0 ? r : zl_digest_of(ZL_SHA256, ret->text.data, ret->text.len, ret->digest, err);
}

static int registry_document(struct zl_source *source, const struct zl_descriptor *descriptor,
                             struct zl_document *ret, struct zl_error *err)
{
  return fetch_by_digest((struct registry *)source, descriptor->digest, ret, err);
}

/* ---- Blobs ----------------------------------------------------------------------------------- */

/* One blob on its way, over any number of requests and endpoints. */
struct transfer {
  const struct zl_descriptor *blob;
  zl_blob_fn fn;
  void *ctx;
  uint64_t offset;  /* bytes handed over */
  uint64_t skip;    /* bytes of this reply that were handed over before */
  bool checked;     /* this reply's head */
  bool sink_failed; /* our side: no other request can help */
  char etag[128];
};

static int wrong_size(const struct transfer *t, const char *what, struct zl_error *err)
{
  return zl_fail(err, ZL_E_CORRUPT, 0, "blob %s: %s, its manifest says %llu bytes", t->blob->digest,
                 what, (unsigned long long)t->blob->size);
}

/* "bytes FIRST-LAST/TOTAL" has to be what was asked for. */
static bool range_fits(const char *text, uint64_t first, uint64_t size)
{
  zl_autofree char *known = zl_asprintf("bytes %llu-%llu/%llu", (unsigned long long)first,
                                        (unsigned long long)size - 1, (unsigned long long)size);
  zl_autofree char *open =
      zl_asprintf("bytes %llu-%llu/*", (unsigned long long)first, (unsigned long long)size - 1);

  return text != NULL && known != NULL && open != NULL &&
         (strcasecmp(text, known) == 0 || strcasecmp(text, open) == 0);
}

static int check_head(struct transfer *t, const struct zl_http_reply *reply, struct zl_error *err)
{
  const char *encoding = zl_http_header(reply, "content-encoding");
  const char *length = zl_http_header(reply, "content-length");
  const char *etag = zl_http_header(reply, "etag");
  uint64_t bytes;

  if (encoding != NULL && strcasecmp(encoding, "identity") != 0)
    return zl_fail(err, ZL_E_REMOTE, 0, "the reply is encoded with '%.40s'", encoding);
  if (reply->status == 206) {
    if (t->offset == 0 ||
        !range_fits(zl_http_header(reply, "content-range"), t->offset, t->blob->size))
      return zl_fail(err, ZL_E_REMOTE, 0, "a part of blob %s that was not asked for",
                     t->blob->digest);
    t->skip = 0;
    return 0;
  }
  t->skip = t->offset;
  if (length != NULL && zl_parse_u64(length, UINT64_MAX, &bytes) && bytes != t->blob->size)
    return wrong_size(t, "the registry announces another size", err);
  if (etag != NULL && etag[0] == '"' && strlen(etag) < sizeof(t->etag))
    (void)snprintf(t->etag, sizeof(t->etag), "%s", etag);
  return 0;
}

static int on_blob(void *ctx, const struct zl_http_reply *reply, const void *data, size_t len,
                   struct zl_error *err)
{
  struct transfer *t = ctx;
  size_t known;
  int r;

  if (!t->checked) {
    r = check_head(t, reply, err);
    if (r < 0)
      return r;
    t->checked = true;
  }
  known = t->skip < len ? (size_t)t->skip : len;
  t->skip -= known;
  len -= known;
  if (len > t->blob->size - t->offset)
    return wrong_size(t, "the registry sends more", err);
  r = len > 0 ? t->fn(t->ctx, (const char *)data + known, len, err) : 0;
  if (r < 0)
    t->sink_failed = true;
  else
    t->offset += len;
  return r;
}

/* One request. A reply that ends early without an error of the transport is one all the same. */
static int request_blob(struct registry *reg, struct zl_http *http, struct zl_call *call,
                        struct transfer *t, struct zl_http_reply *reply, struct zl_error *err)
{
  zl_autofree char *range = NULL, *if_range = NULL;
  size_t n = 0;
  int r;

  call->headers[0] = call->headers[1] = NULL;
  if (t->offset > 0) {
    range = zl_asprintf("Range: bytes=%llu-", (unsigned long long)t->offset);
    if_range = t->etag[0] != '\0' ? zl_asprintf("If-Range: %s", t->etag) : NULL;
    if (range == NULL)
      return zl_fail_nomem(err, "a request");
    call->headers[n++] = range;
    call->headers[n] = if_range;
  }
  t->checked = false;
  r = zl_call_run(&reg->caller, http, call, reply, err);
  if (r < 0 || t->offset == t->blob->size)
    return r;
  reply->failure = ZL_HTTP_TRANSIENT;
  return zl_fail(err, ZL_E_REMOTE, 0, "blob %s ends after %llu of %llu bytes", t->blob->digest,
                 (unsigned long long)t->offset, (unsigned long long)t->blob->size);
}

/* Tries until the blob is complete or a number of tries in a row brought nothing. */
static int finish_blob(struct registry *reg, struct zl_http *http, struct zl_call *call,
                       struct transfer *t, struct zl_error *err)
{
  zl_autoreply reply = ZL_HTTP_REPLY_INIT;
  unsigned count = 1;

  for (;;) {
    const uint64_t before = t->offset;
    int r = request_blob(reg, http, call, t, &reply, err);

    if (r == 0 || t->sink_failed)
      return r;
    count = t->offset > before ? 1 : count + 1;
    r = zl_call_back_off(&reg->caller, &reply, count, err);
    if (r < 0)
      return r;
  }
}

static int from_endpoints(struct registry *reg, struct zl_http *http, struct transfer *t,
                          struct zl_error *err)
{
  int r = 0;

  for (size_t i = 0; i < reg->n_endpoints; i++) {
    struct zl_endpoint *endpoint = &reg->endpoints[i];
    zl_autofree char *path = zl_asprintf("/v2/%s/blobs/%s", endpoint->repository, t->blob->digest);
    struct zl_call call = { .endpoint = endpoint,
                            .path = path,
                            .max_body = UINT64_MAX, /* on_blob knows better */
                            .body = on_blob,
                            .ctx = t };

    if (path == NULL)
      return zl_fail_nomem(err, "a request");
    r = finish_blob(reg, http, &call, t, err);
    if (r == 0 || t->sink_failed || !try_next(reg, i, err))
      break;
  }
  return r;
}

/* Layers that may not be redistributed lie elsewhere. No credentials go there. */
static int from_urls(struct registry *reg, struct zl_http *http, struct transfer *t,
                     struct zl_error *err)
{
  int r = -(int)err->code;

  for (size_t i = 0; t->blob->urls != NULL && t->blob->urls[i] != NULL && r < 0; i++) {
    zl_autourl url = { 0 };
    struct zl_call call = { .url = &url, .max_body = UINT64_MAX, .body = on_blob, .ctx = t };

    if (zl_url_parse(t->blob->urls[i], &url, err) < 0)
      return zl_wrap(err, "layer %s", t->blob->digest);
    if (!url.https)
      return zl_fail(err, ZL_E_REMOTE, 0, "layer %s is offered over plain HTTP only: refused",
                     t->blob->digest);
    r = finish_blob(reg, http, &call, t, err);
    if (t->sink_failed || r == -ZL_E_CANCELLED)
      break;
  }
  return r;
}

static int registry_blob(struct zl_source *source, const struct zl_descriptor *descriptor,
                         zl_blob_fn fn, void *ctx, struct zl_error *err)
{
  struct registry *reg = (struct registry *)source;
  struct transfer t = { .blob = descriptor, .fn = fn, .ctx = ctx };
  struct zl_http *http = NULL;
  int r = zl_caller_take(&reg->caller, &http, err);

  if (r < 0)
    return r;
  r = from_endpoints(reg, http, &t, err);
  if (r == -ZL_E_NOT_FOUND && descriptor->urls != NULL)
    r = from_urls(reg, http, &t, err);
  zl_caller_give(&reg->caller, http);
  return r;
}

/* ---- Opening --------------------------------------------------------------------------------- */

static int add_endpoints(struct registry *reg, const struct zl_registry_options *options,
                         struct zl_error *err)
{
  const struct zl_image_ref *ref = options->ref;
  const struct zl_registry_config *config = zl_registries_find(options->registries, ref->registry);
  size_t n_mirrors = config != NULL ? config->n_mirrors : 0;
  int r;

  reg->endpoints = calloc(n_mirrors + 1, sizeof(*reg->endpoints));
  if (reg->endpoints == NULL)
    return zl_fail_nomem(err, "a registry");
  for (size_t i = 0; i < n_mirrors; i++) {
    const struct zl_mirror *m = &config->mirrors[i];
    zl_autofree char *repository =
        zl_asprintf("%s%s%s", m->prefix, m->prefix[0] != '\0' ? "/" : "", ref->repository);

    if (repository == NULL)
      return zl_fail_nomem(err, "a registry");
    r = zl_endpoint_init(&reg->endpoints[i], m->host, repository, m->http, options->registries,
                         err);
    if (r < 0)
      return zl_wrap(err, "mirror of %s", ref->registry);
    reg->endpoints[i].tags = m->tags;
    reg->n_endpoints++;
  }
  r = zl_endpoint_init(&reg->endpoints[n_mirrors], ref->registry, ref->repository, false,
                       options->registries, err);
  if (r == 0)
    reg->n_endpoints++;
  return r;
}

static const struct zl_source_ops registry_ops = {
  .root = registry_root,
  .document = registry_document,
  .blob = registry_blob,
  .free = registry_free,
};

int zl_registry_open(const struct zl_registry_options *options, struct zl_source **ret,
                     struct zl_error *err)
{
  struct registry *reg = calloc(1, sizeof(*reg));
  int r;

  if (reg == NULL)
    return zl_fail_nomem(err, "a registry");
  reg->base.ops = &registry_ops;
  reg->ref = options->ref;
  r = zl_caller_init(&reg->caller, options, err);
  if (r == 0)
    r = add_endpoints(reg, options, err);
  if (r < 0) {
    registry_free(&reg->base);
    return r;
  }
  *ret = &reg->base;
  return 0;
}
