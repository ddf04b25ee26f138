/* SPDX-License-Identifier: Apache-2.0
 *
 * zl_unpack_* without a helper: whoever makes a Windows layer needs the privileges for backup and
 * restore, so there is nothing that a process of its own would be spared.
 */
#include "image/win32/unpack.h"

#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/fd.h"
#include "base/limits.h"
#include "image/layer/decoder.h"

enum {
  CHUNK = 256 << 10
};

struct zl_unpack {
  enum zl_compression compression;
  struct zl_decoder *decoder; /* NULL: too few bytes have come to know which */
  uint8_t head[ZL_SNIFF];     /* these */
  size_t n_head;
  struct zl_hash *hash;
  uint64_t bytes; /* plain ones */
  struct zl_unpack_target target;
  uint8_t chunk[CHUNK];
};

void zl_unpack_free(struct zl_unpack *u)
{
  if (u == NULL)
    return;
  u->target.free(u->target.ctx);
  zl_decoder_free(u->decoder);
  zl_hash_free(u->hash);
  free(u);
}

int zl__unpack_new(enum zl_compression compression, enum zl_digest_alg diff_alg,
                   const struct zl_unpack_target *target, struct zl_unpack **ret,
                   struct zl_error *err)
{
  struct zl_unpack *u = calloc(1, sizeof(*u));
  int r;

  if (u == NULL) {
    target->free(target->ctx);
    return zl_fail_nomem(err, "unpacking a layer");
  }
  u->target = *target;
  u->compression = compression;
  r = zl_hash_new(diff_alg, &u->hash, err);
  if (r < 0) {
    zl_unpack_free(u);
    return r;
  }
  *ret = u;
  return 0;
}

/* ---- Bytes ----------------------------------------------------------------------------------- */

static int put(struct zl_unpack *u, size_t len, struct zl_error *err)
{
  if (len == 0)
    return 0;
  zl_hash_update(u->hash, u->chunk, len);
  u->bytes += len;
  return u->target.put(u->target.ctx, u->chunk, len, err);
}

static int decode(struct zl_unpack *u, const void *data, size_t len, struct zl_error *err)
{
  struct zl_decoder_io io = { .next_in = data, .avail_in = len };
  int r;

  do {
    io.next_out = u->chunk;
    io.avail_out = CHUNK;
    r = zl_decoder_pull(u->decoder, &io, err);
    if (r == 0)
      r = put(u, CHUNK - io.avail_out, err);
  } while (r == 0 && (io.avail_in > 0 || io.avail_out == 0));
  return r;
}

/* With the bytes that were kept for it. */
static int open_decoder(struct zl_unpack *u, struct zl_error *err)
{
  enum zl_compression compression = u->compression;
  int r;

  if (compression == ZL_COMPRESSION_AUTO)
    compression = zl_compression_sniff(u->head, u->n_head);
  r = zl_decoder_new(compression, NULL, &u->decoder, err);
  return r < 0 ? r : decode(u, u->head, u->n_head, err);
}

int zl_unpack_write(struct zl_unpack *u, const void *data, size_t len, struct zl_error *err)
{
  const uint8_t *from = data;
  int r = 0;

  if (u->decoder == NULL) {
    const size_t n = len < ZL_SNIFF - u->n_head ? len : ZL_SNIFF - u->n_head;

    memcpy(u->head + u->n_head, from, n);
    u->n_head += n;
    from += n;
    len -= n;
    if (u->n_head < ZL_SNIFF)
      return 0;
    r = open_decoder(u, err);
  }
  return r < 0 || len == 0 ? r : decode(u, from, len, err);
}

int zl_unpack_finish(struct zl_unpack *u, struct zl_unpack_result *ret, struct zl_error *err)
{
  struct zl_unpack_result result = { .fixup = NULL };
  int r = u->decoder == NULL ? open_decoder(u, err) : 0;

  if (r == 0)
    r = zl_decoder_done(u->decoder, err);
  if (r == 0)
    r = u->target.end(u->target.ctx, &result, err);
  if (r == 0)
    r = zl_hash_final(u->hash, result.diff_id, err);
  if (r < 0)
    return r;
  result.stream_bytes = u->bytes;
  *ret = result;
  return 0;
}

void zl_unpack_result_done(struct zl_unpack_result *result)
{
  free(result->fixup);
  result->fixup = NULL;
}

/* ---- Into a file ----------------------------------------------------------------------------- */

struct plain {
  int fd;
  uint64_t max, reserve, bytes;
};

static int plain_put(void *ctx, const void *data, size_t len, struct zl_error *err)
{
  struct plain *p = ctx;
  struct statvfs disk;
  int r;

  if (fstatvfs(p->fd, &disk) == 0 && disk.f_bavail * disk.f_frsize < p->reserve)
    return zl_fail(err, ZL_E_LIMIT, ENOSPC, "the disk has less than the reserve of %llu MiB left",
                   (unsigned long long)(p->reserve >> 20));
  p->bytes += len;
  if (p->bytes > p->max)
    return zl_fail(err, ZL_E_LIMIT, 0, "more than %llu bytes", (unsigned long long)p->max);
  r = zl_fd_write_full(p->fd, data, len);
  return r < 0 ? zl_fail(err, ZL_E_SYSTEM, -r, "writing what was decompressed") : 0;
}

static int plain_end(void *ctx, struct zl_unpack_result *ret, struct zl_error *err)
{
  (void)err;
  ret->bytes = ((const struct plain *)ctx)->bytes;
  return 0;
}

/* Layers are started by win32/layer_maker.c. */
int zl_unpack_start(const struct zl_unpack_options *o, struct zl_unpack **ret, struct zl_error *err)
{
  struct plain *p = o->plain ? calloc(1, sizeof(*p)) : NULL;
  const struct zl_unpack_target target = {
    .put = plain_put, .end = plain_end, .free = free, .ctx = p
  };

  if (!o->plain)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0, "Windows has no directories for overlayfs");
  if (p == NULL)
    return zl_fail_nomem(err, "decompressing a file");
  *p = (struct plain){ .fd = o->image_fd,
                       .max = o->max_bytes != 0 ? o->max_bytes : ZL_MAX_LAYER_BYTES,
                       .reserve = o->reserve_bytes != 0 ? o->reserve_bytes : ZL_LAYER_RESERVE };
  return zl__unpack_new(o->compression, o->diff_alg, &target, ret, err);
}
