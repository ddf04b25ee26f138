/* SPDX-License-Identifier: Apache-2.0
 *
 * Blobs, whole or in parts, over any number of requests and endpoints. Parts are asked for with
 * Range; a server that does not send them sends everything, and what is known of it is skipped.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/strv.h"
#include "image/registry_internal.h"

struct transfer {
  const struct zl_descriptor *blob;
  struct zl_blob_part *part;
  zl_blob_fn fn;
  void *ctx;
  uint64_t offset;  /* of the next byte that is handed over */
  uint64_t end;     /* of what this reply brings */
  uint64_t skip;    /* bytes of this reply that were handed over before */
  bool checked;     /* this reply's head */
  bool enough;      /* the caller wants no more */
  bool sink_failed; /* our side: no other request can help */
  bool refused;     /* this reply: its part is not the one that was asked for */
  bool no_range;    /* this endpoint cannot send parts */
  char etag[128];   /* of this endpoint */
};

static int wrong_size(const struct transfer *t, const char *what, struct zl_error *err)
{
  return zl_fail(err, ZL_E_CORRUPT, 0, "blob %s: %s, its manifest says %llu bytes", t->blob->digest,
                 what, (unsigned long long)t->blob->size);
}

static bool is_whole(const struct transfer *t)
{
  return t->offset == 0 && t->part->end == t->blob->size;
}

/* "bytes FIRST-LAST/TOTAL" has to be what was asked for. */
static bool range_fits(const char *text, uint64_t first, uint64_t end, uint64_t size)
{
  zl_autofree char *known = zl_asprintf("bytes %llu-%llu/%llu", (unsigned long long)first,
                                        (unsigned long long)end - 1, (unsigned long long)size);
  zl_autofree char *open =
      zl_asprintf("bytes %llu-%llu/*", (unsigned long long)first, (unsigned long long)end - 1);

  return text != NULL && known != NULL && open != NULL &&
         (strcasecmp(text, known) == 0 || strcasecmp(text, open) == 0);
}

static int check_part(struct transfer *t, const struct zl_http_reply *reply, struct zl_error *err)
{
  if (t->no_range || is_whole(t) ||
      !range_fits(zl_http_header(reply, "content-range"), t->offset, t->part->end, t->blob->size)) {
    t->refused = true;
    return zl_fail(err, ZL_E_REMOTE, 0, "a part of blob %s that was not asked for",
                   t->blob->digest);
  }
  t->part->ranged = true;
  t->end = t->part->end;
  t->skip = 0;
  return 0;
}

static int check_head(struct transfer *t, const struct zl_http_reply *reply, struct zl_error *err)
{
  const char *encoding = zl_http_header(reply, "content-encoding");
  const char *length = zl_http_header(reply, "content-length");
  const char *etag = zl_http_header(reply, "etag");
  uint64_t bytes;

  if (encoding != NULL && strcasecmp(encoding, "identity") != 0)
    return zl_fail(err, ZL_E_REMOTE, 0, "the reply is encoded with '%.40s'", encoding);
  if (etag != NULL && etag[0] == '"' && strlen(etag) < sizeof(t->etag))
    (void)snprintf(t->etag, sizeof(t->etag), "%s", etag);
  if (reply->status == 206)
    return check_part(t, reply, err);
  if (length != NULL && zl_parse_u64(length, UINT64_MAX, &bytes) && bytes != t->blob->size)
    return wrong_size(t, "the registry announces another size", err);
  t->part->ranged = false;
  t->end = t->blob->size;
  t->skip = t->offset;
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
  if (len > t->end - t->offset)
    return wrong_size(t, "the registry sends more", err);
  r = len > 0 ? t->fn(t->ctx, (const char *)data + known, len, err) : 0;
  if (r < 0) {
    t->sink_failed = true;
    return r;
  }
  t->offset += len;
  t->enough = r > 0;
  return r;
}

/* ---- Requests -------------------------------------------------------------------------------- */

struct headers {
  char *range, *if_range;
};

static void headers_done(struct headers *headers)
{
  zl_freep(&headers->range);
  zl_freep(&headers->if_range);
}

static int put_range(const struct transfer *t, struct zl_call *call, struct headers *headers,
                     struct zl_error *err)
{
  call->headers[0] = call->headers[1] = NULL;
  if (t->no_range || is_whole(t))
    return 0;
  headers->range = t->part->end == t->blob->size
                       ? zl_asprintf("Range: bytes=%llu-", (unsigned long long)t->offset)
                       : zl_asprintf("Range: bytes=%llu-%llu", (unsigned long long)t->offset,
                                     (unsigned long long)t->part->end - 1);
  if (headers->range == NULL)
    return zl_fail_nomem(err, "a request");
  call->headers[0] = headers->range;
  if (t->etag[0] != '\0')
    call->headers[1] = headers->if_range = zl_asprintf("If-Range: %s", t->etag);
  return 0;
}

/* One request. A reply that ends early without an error of the transport is one all the same. */
static int request_once(struct registry *reg, struct zl_http *http, struct zl_call *call,
                        struct transfer *t, struct zl_http_reply *reply, struct zl_error *err)
{
  ZL_CLEANUP(headers_done) struct headers headers = { NULL, NULL };
  int r = put_range(t, call, &headers, err);

  if (r < 0)
    return r;
  t->checked = t->refused = false;
  r = zl_call_run(&reg->caller, http, call, reply, err);
  if (r < 0 || t->enough || t->offset >= t->part->end)
    return r;
  reply->failure = ZL_HTTP_TRANSIENT;
  return zl_fail(err, ZL_E_REMOTE, 0, "blob %s ends after %llu of %llu bytes", t->blob->digest,
                 (unsigned long long)t->offset, (unsigned long long)t->part->end);
}

/* A server that sends the wrong part, or refuses to send one, is asked for all of it. */
static int request_blob(struct registry *reg, struct zl_http *http, struct zl_call *call,
                        struct transfer *t, struct zl_http_reply *reply, struct zl_error *err)
{
  int r = request_once(reg, http, call, t, reply, err);

  if (r == 0 || t->no_range || is_whole(t))
    return r;
  if (!t->refused && reply->status != 416 && reply->status != 400 && reply->status != 501)
    return r;
  t->no_range = true;
  return request_once(reg, http, call, t, reply, err);
}

/* Tries until the part is complete or a number of tries in a row brought nothing. */
static int finish_part(struct registry *reg, struct zl_http *http, struct zl_call *call,
                       struct transfer *t, struct zl_error *err)
{
  zl_autoreply reply = ZL_HTTP_REPLY_INIT;
  unsigned count = 1;

  t->etag[0] = '\0';
  t->no_range = false;
  for (;;) {
    const uint64_t before = t->offset;
    int r = request_blob(reg, http, call, t, &reply, err);

    if (r == 0 || t->sink_failed)
      return r;
    count = t->offset > before ? 1 : count + 1;
    r = zl_call_back_off(&reg->caller, call, &reply, count, err);
    if (r < 0)
      return r;
  }
}

static int from_endpoint(struct registry *reg, struct zl_http *http, struct zl_endpoint *endpoint,
                         struct transfer *t, struct zl_error *err)
{
  zl_autofree char *path = zl_asprintf("/v2/%s/blobs/%s", endpoint->repository, t->blob->digest);
  struct zl_call call = { .endpoint = endpoint,
                          .path = path,
                          .cancel_fd = t->part->cancel_fd,
                          .max_body = UINT64_MAX, /* on_blob knows better */
                          .body = on_blob,
                          .ctx = t };

  return path != NULL ? finish_part(reg, http, &call, t, err) : zl_fail_nomem(err, "a request");
}

/* A mirror that could not be used once is not asked again by this pull. */
static int from_endpoints(struct registry *reg, struct zl_http *http, struct transfer *t,
                          struct zl_error *err)
{
  int r = 0;

  for (size_t i = 0; i < reg->n_endpoints; i++) {
    struct zl_endpoint *endpoint = &reg->endpoints[i];

    if (atomic_load(&endpoint->useless) && !zl__registry_is_last(reg, i))
      continue;
    r = from_endpoint(reg, http, endpoint, t, err);
    if (r == 0 || t->sink_failed || !zl__registry_try_next(reg, i, err))
      break;
    if (r != -ZL_E_NOT_FOUND)
      atomic_store(&endpoint->useless, true);
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
    struct zl_call call = { .url = &url,
                            .cancel_fd = t->part->cancel_fd,
                            .max_body = UINT64_MAX,
                            .body = on_blob,
                            .ctx = t };

    if (zl_url_parse(t->blob->urls[i], &url, err) < 0)
      return zl_wrap(err, "layer %s", t->blob->digest);
    if (!url.https)
      return zl_fail(err, ZL_E_REMOTE, 0, "layer %s is offered over plain HTTP only: refused",
                     t->blob->digest);
    r = finish_part(reg, http, &call, t, err);
    if (t->sink_failed || r == -ZL_E_CANCELLED)
      break;
  }
  return r;
}

int zl__registry_part(struct zl_source *source, const struct zl_descriptor *descriptor,
                      struct zl_blob_part *part, zl_blob_fn fn, void *ctx, struct zl_error *err)
{
  struct registry *reg = (struct registry *)source;
  struct transfer t = {
    .blob = descriptor, .part = part, .fn = fn, .ctx = ctx, .offset = part->first
  };
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

int zl__registry_blob(struct zl_source *source, const struct zl_descriptor *descriptor,
                      zl_blob_fn fn, void *ctx, struct zl_error *err)
{
  struct zl_blob_part part = { .end = descriptor->size,
                               .cancel_fd = ((struct registry *)source)->caller.cancel_fd };

  return zl__registry_part(source, descriptor, &part, fn, ctx, err);
}
