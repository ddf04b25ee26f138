/* SPDX-License-Identifier: Apache-2.0 */
#include "image/download.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "image/blob_fetch.h"

enum {
  PIECE = 256 << 10,    /* given to the hash and the helper at once */
  REPORT_MS = 100,      /* while nothing comes */
  SMALL_BLOB = 64 << 10 /* fetched again sooner than kept */
};

struct stream {
  const struct zl_download_options *opt;
  struct zl_hash *hash;
  struct zl_unpack *unpack;
  uint64_t fed;       /* bytes that hash and helper have got */
  uint64_t resumed;   /* bytes that were here before */
  bool helper_failed; /* and not the download */
};

static void stream_done(struct stream *s)
{
  zl_hash_free(s->hash);
  zl_unpack_free(s->unpack);
}

static int check_cancelled(const struct stream *s, struct zl_error *err)
{
  struct pollfd p = { .fd = s->opt->cancel_fd, .events = POLLIN };

  if (p.fd >= 0 && poll(&p, 1, 0) > 0)
    return zl_fail(err, ZL_E_CANCELLED, 0, "cancelled");
  return 0;
}

static int feed(struct stream *s, const void *data, size_t len, struct zl_error *err)
{
  int r = check_cancelled(s, err);

  if (r < 0)
    return r;
  zl_hash_update(s->hash, data, len);
  s->fed += len;
  r = zl_unpack_write(s->unpack, data, len, err);
  s->helper_failed = r < 0;
  return r;
}

/* ---- The helper ------------------------------------------------------------------------------ */

static int begin(struct stream *s, struct zl_error *err)
{
  return s->unpack != NULL ? 0 : s->opt->start(s->opt->ctx, &s->unpack, err);
}

/* Both digests have to be right before anything of the layer is used. */
static int check_digests(struct stream *s, struct zl_unpack_result *result, struct zl_download *ret,
                         struct zl_error *err)
{
  char blob_digest[ZL_DIGEST_TEXT];
  int r = zl_hash_final(s->hash, blob_digest, err);

  if (r < 0)
    return r;
  if (strcmp(blob_digest, s->opt->blob->digest) != 0)
    return zl_fail(err, ZL_E_CORRUPT, 0, "the blob's digest is %s", blob_digest);
  if (strcmp(result->diff_id, s->opt->diff_id) != 0)
    return zl_fail(err, ZL_E_CORRUPT, 0,
                   "its content's digest is %s, the image's configuration says %s", result->diff_id,
                   s->opt->diff_id);
  memcpy(ret->meta.diff_id, result->diff_id, sizeof(ret->meta.diff_id));
  ret->meta.bytes = result->bytes;
  ret->meta.files = result->entries;
  ret->fixup = zl_steal_ptr(&result->fixup);
  if (ret->fixup != NULL)
    ret->unpack = zl_steal_ptr(&s->unpack);
  return 0;
}

/* ---- Without a partial file ------------------------------------------------------------------ */

static int on_bytes(void *ctx, const void *data, size_t len, struct zl_error *err)
{
  struct stream *s = ctx;
  int r = feed(s, data, len, err);

  return r < 0 ? r : s->opt->report(s->opt->ctx, s->fed, s->resumed, err);
}

/* What is missing from s->fed on, straight through. */
static int stream_rest(struct stream *s, struct zl_error *err)
{
  struct zl_blob_part part = { .first = s->fed,
                               .end = s->opt->blob->size,
                               .cancel_fd = s->opt->cancel_fd };
  int r = begin(s, err);

  if (r < 0)
    return r;
  if (s->fed == 0)
    return zl_source_blob(s->opt->source, s->opt->blob, on_bytes, s, err);
  return s->fed < part.end ? zl_source_part(s->opt->source, s->opt->blob, &part, on_bytes, s, err)
                           : 0;
}

/* ---- With one -------------------------------------------------------------------------------- */

/* From the file to hash and helper, as far as `ready`. */
static int feed_ready(struct stream *s, const struct zl_partial *partial, uint64_t ready,
                      uint64_t total, char *piece, struct zl_error *err)
{
  int r = 0;

  while (r == 0 && s->fed < ready) {
    const uint64_t left = ready - s->fed;
    ssize_t n = zl_partial_read(partial, s->fed, piece, left < PIECE ? (size_t)left : PIECE);

    if (n <= 0)
      return zl_fail(err, n < 0 ? ZL_E_SYSTEM : ZL_E_CORRUPT, n < 0 ? (int)-n : 0,
                     "reading what was downloaded");
    r = feed(s, piece, (size_t)n, err);
    if (r == 0)
      r = s->opt->report(s->opt->ctx, total, s->resumed, err);
  }
  return r;
}

static int feed_all(struct stream *s, struct zl_blob_fetch *fetch, const struct zl_partial *partial,
                    struct zl_error *err)
{
  zl_autofree char *piece = malloc(PIECE);
  int r = piece != NULL ? 0 : zl_fail_nomem(err, "reading a blob");

  while (r == 0 && s->fed < s->opt->blob->size) {
    struct zl_blob_progress progress;

    r = zl_blob_fetch_wait(fetch, s->fed, REPORT_MS, &progress, err);
    if (r == 0 && progress.ready == s->fed) {
      r = check_cancelled(s, err);
      if (r == 0)
        r = s->opt->report(s->opt->ctx, progress.total, s->resumed, err);
    } else if (r == 0) {
      r = feed_ready(s, partial, progress.ready, progress.total, piece, err);
    }
  }
  return r;
}

bool zl_download_is_disk_full(const struct zl_error *err)
{
  return err->os_error == ENOSPC || err->os_error == EDQUOT;
}

/* A file that cannot be written any more has helped so far; the rest goes past it. */
static int fetch_kept(struct stream *s, struct zl_partial *partial, struct zl_error *err)
{
  const struct zl_blob_fetch_options options = { .source = s->opt->source,
                                                 .blob = s->opt->blob,
                                                 .partial = partial,
                                                 .connections = s->opt->connections };
  struct zl_blob_fetch *fetch = NULL;
  int r = zl_blob_fetch_start(&options, &fetch, err);

  if (r == 0)
    r = begin(s, err);
  if (r == 0)
    r = feed_all(s, fetch, partial, err);
  zl_blob_fetch_free(fetch);
  if (r == 0 || !zl_download_is_disk_full(err) || s->helper_failed)
    return r;
  zl_debug("blob %s is not kept: %s", s->opt->blob->digest, err->msg);
  zl_partial_remove(partial);
  return stream_rest(s, err);
}

/* Whether the blob is kept while it comes; if not, that is no failure. */
static int open_partial(const struct zl_download_options *o, struct zl_partial *ret,
                        struct zl_error *err)
{
  struct zl_error why = { 0 };
  int r;

  if (o->partials_fd < 0 || o->blob->size < SMALL_BLOB || !zl_source_has_parts(o->source))
    return 0;
  r = zl_partial_open(o->partials_fd, o->blob->digest, o->blob->size, o->cancel_fd, ret, &why);
  if (r == -ZL_E_CANCELLED) {
    *err = why;
    return r;
  }
  if (r < 0)
    zl_debug("blob %s is not kept: %s", o->blob->digest, why.msg);
  return 0;
}

static int fetch_and_check(struct stream *s, struct zl_partial *partial, struct zl_download *ret,
                           struct zl_error *err)
{
  ZL_CLEANUP(zl_unpack_result_done) struct zl_unpack_result result = { 0 };
  int r = partial->fd >= 0 ? fetch_kept(s, partial, err) : stream_rest(s, err);

  if (r == 0)
    r = zl_unpack_finish(s->unpack, &result, err);
  return r < 0 ? r : check_digests(s, &result, ret, err);
}

int zl_download(const struct zl_download_options *options, struct zl_download *ret, bool *ret_again,
                struct zl_error *err)
{
  ZL_CLEANUP(stream_done) struct stream s = { .opt = options };
  ZL_CLEANUP(zl_partial_close) struct zl_partial partial = ZL_PARTIAL_INIT;
  enum zl_digest_alg alg = ZL_SHA256;
  bool kept;
  int r;

  *ret_again = false;
  (void)zl_digest_is_valid(options->blob->digest, &alg);
  r = zl_hash_new(alg, &s.hash, err);
  if (r == 0)
    r = open_partial(options, &partial, err);
  if (r == 0 && !options->late)
    r = begin(&s, err);
  if (r < 0)
    return r;
  kept = partial.fd >= 0;
  s.resumed = kept ? zl_partial_map_total(&partial.map) : 0;
  r = fetch_and_check(&s, &partial, ret, err);
  if (r < 0) {
    *ret_again = (s.resumed > 0 && r == -ZL_E_CORRUPT) || (kept && zl_download_is_disk_full(err));
    return r;
  }
  ret->partial = partial;
  partial = (struct zl_partial)ZL_PARTIAL_INIT;
  return 0;
}
