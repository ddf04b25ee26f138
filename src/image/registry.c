/* SPDX-License-Identifier: Apache-2.0 */
#include "image/registry.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/strv.h"
#include "image/artifact.h"
#include "image/registry_internal.h"

#define ACCEPT_MANIFESTS                                                        \
  "Accept: " ZL_MT_OCI_MANIFEST ", " ZL_MT_OCI_INDEX ", " ZL_MT_DOCKER_MANIFEST \
  ", " ZL_MT_DOCKER_LIST

static void registry_free(struct zl_source *source)
{
  struct registry *reg = (struct registry *)source;

  for (size_t i = 0; i < reg->n_all; i++)
    zl_endpoint_done(&reg->endpoints[i]);
  free(reg->endpoints);
  free(reg->by_stop);
  zl_route_done(&reg->route);
  zl_caller_done(&reg->caller);
  free(reg);
}

bool zl__registry_is_last(const struct registry *reg, size_t i)
{
  return i + 1 == reg->n_endpoints;
}

static bool is_ours(const struct zl_error *err)
{
  return err->code == ZL_E_CANCELLED || err->code == ZL_E_NO_MEMORY;
}

bool zl__registry_try_next(const struct registry *reg, size_t i, const struct zl_error *err)
{
  if (zl__registry_is_last(reg, i) || is_ours(err))
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

/* A small document; `rest` is what comes after the repository. */
static int fetch_document(struct registry *reg, struct zl_endpoint *endpoint, const char *rest,
                          struct zl_document *ret, struct zl_error *err)
{
  zl_autofree char *path = zl_asprintf("/v2/%s/%s", endpoint->repository, rest);
  zl_autoreply reply = ZL_HTTP_REPLY_INIT;
  struct zl_http *http = NULL;
  const char *type;
  int r;
  const struct zl_call call = {
    .endpoint = endpoint,
    .path = path,
    .headers = { ACCEPT_MANIFESTS },
    .cancel_fd = reg->caller.cancel_fd,
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
    if (r == 0 || zl_call_back_off(&reg->caller, &call, &reply, count, err) < 0)
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

static int fetch_manifest(struct registry *reg, struct zl_endpoint *endpoint, const char *name,
                          struct zl_document *ret, struct zl_error *err)
{
  zl_autofree char *rest = zl_asprintf("manifests/%s", name);

  return rest != NULL ? fetch_document(reg, endpoint, rest, ret, err)
                      : zl_fail_nomem(err, "a manifest");
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
    if (r == 0 || !zl__registry_try_next(reg, i, err))
      break;
  }
  return r;
}

/* In the order of the route. Without an answer the error is that of the last one. */
static int fetch_by_tag(struct registry *reg, const char *tag, struct zl_document *ret,
                        struct zl_error *err)
{
  int r = zl_fail(err, ZL_E_NOT_FOUND, 0, "nobody is asked for tags");

  for (size_t i = 0; i < reg->route.count; i++) {
    struct zl_endpoint *endpoint = &reg->endpoints[reg->by_stop[i]];

    if (!endpoint->tags)
      continue;
    r = fetch_manifest(reg, endpoint, tag, ret, err);
    if (r == 0 || is_ours(err))
      break;
    zl_debug("tag '%s': %s: %s", tag, endpoint->host, err->msg);
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

/* ---- What is attached ------------------------------------------------------------------------ */

static size_t registry_places(const struct zl_source *source)
{
  return ((const struct registry *)source)->n_endpoints;
}

static int registry_tagged(struct zl_source *source, size_t place, const char *tag,
                           struct zl_document *ret, struct zl_error *err)
{
  struct registry *reg = (struct registry *)source;

  return fetch_manifest(reg, &reg->endpoints[place], tag, ret, err);
}

/* OCI distribution 1.1; a registry without that answers 404, and clients keep a tag for it. */
static int registry_referrers(struct zl_source *source, size_t place, const char *digest,
                              const char *artifact_type, struct zl_document *ret,
                              struct zl_error *err)
{
  struct registry *reg = (struct registry *)source;
  zl_autofree char *rest = zl_asprintf("referrers/%s?artifactType=%s", digest, artifact_type);
  zl_autofree char *tag = zl_attached_tag(digest, "");
  int r = rest != NULL && tag != NULL ? 0 : zl_fail_nomem(err, "a manifest");

  if (r == 0)
    r = fetch_document(reg, &reg->endpoints[place], rest, ret, err);
  return r == -ZL_E_NOT_FOUND ? registry_tagged(source, place, tag, ret, err) : r;
}

/* ---- Opening --------------------------------------------------------------------------------- */

static bool by_pulls(const struct zl_stop *stop)
{
  return stop->pulls;
}

static bool by_resolves_only(const struct zl_stop *stop)
{
  return stop->resolves && !stop->pulls;
}

static int add_those(struct registry *reg, bool (*wanted)(const struct zl_stop *),
                     struct zl_error *err)
{
  int r = 0;

  for (size_t i = 0; r == 0 && i < reg->route.count; i++) {
    if (!wanted(&reg->route.stops[i]))
      continue;
    r = zl_endpoint_init(&reg->endpoints[reg->n_all], &reg->route.stops[i], err);
    if (r == 0)
      reg->by_stop[i] = reg->n_all++;
  }
  return r;
}

/* Those that are asked for blobs first, in the order of the route, then those that only resolve. */
static int add_endpoints(struct registry *reg, const struct zl_registry_options *options,
                         struct zl_error *err)
{
  int r = zl_route_find(options->registries, options->ref, &reg->route, err);

  if (r < 0)
    return r;
  reg->endpoints = calloc(reg->route.count, sizeof(*reg->endpoints));
  reg->by_stop = calloc(reg->route.count, sizeof(*reg->by_stop));
  if (reg->endpoints == NULL || reg->by_stop == NULL)
    return zl_fail_nomem(err, "a registry");
  r = add_those(reg, by_pulls, err);
  reg->n_endpoints = reg->n_all;
  return r < 0 ? r : add_those(reg, by_resolves_only, err);
}

static const struct zl_source_ops registry_ops = {
  .root = registry_root,
  .document = registry_document,
  .blob = zl__registry_blob,
  .part = zl__registry_part,
  .free = registry_free,
  .places = registry_places,
  .tagged = registry_tagged,
  .referrers = registry_referrers,
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
