/* SPDX-License-Identifier: Apache-2.0 */
#include "unpack/pipeline.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/thread.h"
#include "image/layer/decoder.h"
#include "image/layer/sink_dir.h"
#include "image/layer/sink_erofs.h"
#include "unpack/ring.h"

enum {
  INPUT_BUFFER = 128 << 10,
  THREAD_STACK = 256 << 10
};

struct zl_pipeline {
  struct zl_pipeline_options options;
  struct zl_ring *ring;
  struct zl_hash *hash;
  const struct zl_sink_ops *ops; /* NULL: the bytes are only decompressed */
  void *sink;
  struct zl_tar *tar;
  pthread_t decoding;
  pthread_mutex_t gate; /* held until the sandbox is closed around both threads */
  uint64_t stream_bytes;
  uint8_t input[INPUT_BUFFER];
};

/* 1 with fresh input, 0 at the end. `keep` bytes at the start of the buffer are kept. */
static int fill(struct zl_pipeline *p, struct zl_decoder_io *io, size_t keep, struct zl_error *err)
{
  ssize_t n;

  do
    n = read(p->options.input_fd, p->input + keep, INPUT_BUFFER - keep);
  while (n < 0 && errno == EINTR);
  if (n < 0)
    return zl_fail_errno(err, "reading the layer");
  io->next_in = p->input;
  io->avail_in = keep + (size_t)n;
  return n > 0;
}

static int choose_decoder(struct zl_pipeline *p, struct zl_decoder_io *io, struct zl_decoder **ret,
                          struct zl_error *err)
{
  enum zl_compression compression = p->options.compression;
  int r = 1;

  while (r > 0 && compression == ZL_COMPRESSION_AUTO && io->avail_in < ZL_SNIFF)
    r = fill(p, io, io->avail_in, err);
  if (r < 0)
    return r;
  if (compression == ZL_COMPRESSION_AUTO)
    compression = zl_compression_sniff(io->next_in, io->avail_in);
  return zl_decoder_new(compression, p->options.engine, ret, err);
}

/* Fills one chunk: 1, or 0 when the input ended (the chunk may still hold some bytes). */
static int fill_chunk(struct zl_pipeline *p, struct zl_decoder *decoder, struct zl_decoder_io *io,
                      struct zl_error *err)
{
  for (;;) {
    int r = zl_decoder_pull(decoder, io, err);

    if (r < 0)
      return r;
    if (io->avail_out == 0)
      return 1;
    r = fill(p, io, 0, err);
    if (r <= 0)
      return r;
  }
}

static int decode_all(struct zl_pipeline *p, struct zl_error *err)
{
  ZL_CLEANUP(zl_decoder_freep) struct zl_decoder *decoder = NULL;
  struct zl_decoder_io io = { .next_in = p->input };
  int r = choose_decoder(p, &io, &decoder, err);

  if (r < 0)
    return r;
  do {
    io.next_out = zl_ring_reserve(p->ring);
    io.avail_out = ZL_RING_CHUNK;
    r = fill_chunk(p, decoder, &io, err);
    if (r < 0)
      return r;
    zl_ring_commit(p->ring, ZL_RING_CHUNK - io.avail_out);
  } while (r > 0);
  return zl_decoder_done(decoder, err);
}

static void *decoding_thread(void *arg)
{
  struct zl_pipeline *p = arg;
  struct zl_error err = { 0 };
  int r;

  (void)pthread_mutex_lock(&p->gate);
  (void)pthread_mutex_unlock(&p->gate);
  r = decode_all(p, &err);
  zl_ring_close(p->ring, r < 0 ? &err : NULL);
  return NULL;
}

static void pipeline_free(struct zl_pipeline *p)
{
  zl_tar_free(p->tar);
  if (p->ops != NULL)
    p->ops->free(p->sink);
  zl_hash_free(p->hash);
  zl_ring_free(p->ring);
  free(p);
}
ZL_DEFINE_CLEANUP(struct zl_pipeline, pipeline_free)

static int new_sink(struct zl_pipeline *p, struct zl_error *err)
{
  const struct zl_pipeline_options *o = &p->options;
  const struct zl_sink_dir_options dir = { .root_fd = o->staging_fd,
                                           .reserve_bytes = o->reserve_bytes,
                                           .devices = o->devices };
  const struct zl_sink_erofs_options image = { .fd = o->image_fd,
                                               .reserve_bytes = o->reserve_bytes,
                                               .devices = o->devices };

  p->ops = o->image_fd < 0 ? &zl_sink_dir_ops : &zl_sink_erofs_ops;
  return o->image_fd < 0 ? zl_sink_dir_new(&dir, (struct zl_sink_dir **)&p->sink, err)
                         : zl_sink_erofs_new(&image, (struct zl_sink_erofs **)&p->sink, err);
}

static int new_tar(struct zl_pipeline *p, struct zl_error *err)
{
  const struct zl_tar_limits limits = { .bytes = p->options.max_bytes,
                                        .entries = p->options.max_entries };

  return zl_tar_new(&limits, p->ops, p->sink, &p->tar, err);
}

int zl_pipeline_new(const struct zl_pipeline_options *options, struct zl_pipeline **ret,
                    struct zl_error *err)
{
  ZL_CLEANUP(pipeline_freep) struct zl_pipeline *p = calloc(1, sizeof(*p));
  int r;

  if (p == NULL)
    return zl_fail_nomem(err, "pipeline");
  p->options = *options;
  r = zl_ring_new(&p->ring, err);
  if (r == 0)
    r = zl_hash_new(options->diff_alg, &p->hash, err);
  if (r == 0 && !options->plain)
    r = new_sink(p, err);
  if (r == 0 && !options->plain)
    r = new_tar(p, err);
  if (r < 0)
    return r;
  *ret = zl_steal_ptr(&p);
  return 0;
}

int zl_pipeline_start(struct zl_pipeline *p, struct zl_error *err)
{
  int os_error;

  (void)pthread_mutex_init(&p->gate, NULL);
  (void)pthread_mutex_lock(&p->gate);
  os_error = zl_thread_start(&p->decoding, THREAD_STACK, decoding_thread, p);
  if (os_error != 0)
    return zl_fail(err, ZL_E_SYSTEM, os_error, "starting the decoding thread");
  return p->ops != NULL && p->ops->start != NULL ? p->ops->start(p->sink, err) : 0;
}

static int put_plain(struct zl_pipeline *p, const uint8_t *bytes, size_t len, struct zl_error *err)
{
  struct statfs fs;
  int r;

  if (fstatfs(p->options.image_fd, &fs) < 0)
    return zl_fail_errno(err, "looking at the disk");
  if ((uint64_t)fs.f_bavail < p->options.reserve_bytes / (uint64_t)fs.f_bsize)
    return zl_fail(err, ZL_E_LIMIT, ENOSPC, "the disk has less than the reserve of %llu MiB left",
                   (unsigned long long)(p->options.reserve_bytes >> 20));
  if (p->stream_bytes > p->options.max_bytes)
    return zl_fail(err, ZL_E_LIMIT, 0, "more than %llu bytes",
                   (unsigned long long)p->options.max_bytes);
  r = zl_fd_write_full(p->options.image_fd, bytes, len);
  return r < 0 ? zl_fail(err, ZL_E_SYSTEM, -r, "writing what was decompressed") : 0;
}

static int consume(struct zl_pipeline *p, struct zl_error *err)
{
  const uint8_t *bytes;
  size_t len;
  int r;

  while ((r = zl_ring_next(p->ring, &bytes, &len, err)) > 0) {
    zl_hash_update(p->hash, bytes, len);
    p->stream_bytes += len;
    r = p->options.plain ? put_plain(p, bytes, len, err) : zl_tar_feed(p->tar, bytes, len, err);
    if (r < 0)
      return r;
  }
  return r < 0 || p->options.plain ? r : zl_tar_finish(p->tar, err);
}

/* A directory is put right by the caller, who can change it afterwards; an image is not. */
static bool needs_lower(const struct zl_pipeline *p, const struct zl_sink_totals *totals,
                        const struct zl_buf *notes)
{
  static const char opaque_root[] = "o .\n";

  if (p->options.image_fd < 0)
    return false;
  return totals->n_implicit > 0 || totals->n_deferred > 0 ||
         (notes->len > 0 && strstr(notes->data, opaque_root) != NULL);
}

int zl_pipeline_run(struct zl_pipeline *p, struct zl_pipeline_result *ret, struct zl_buf *notes,
                    struct zl_error *err)
{
  int r;

  (void)pthread_mutex_unlock(&p->gate);
  r = consume(p, err);
  if (r == 0)
    r = zl_hash_final(p->hash, ret->diff_id, err);
  ret->stream_bytes = p->stream_bytes;
  if (r == 0 && p->options.plain)
    return 0;
  if (r == 0)
    r = p->ops->write_notes(p->sink, notes, err);
  if (r < 0)
    return r;
  ret->tar = zl_tar_get_totals(p->tar);
  p->ops->get_totals(p->sink, &ret->sink);
  ret->pending = needs_lower(p, &ret->sink, notes);
  if (ret->pending)
    return 0;
  if (p->options.image_fd >= 0)
    zl_buf_clear(notes); /* they are in the image */
  return p->ops->seal(p->sink, err);
}

int zl_pipeline_fix(struct zl_pipeline *p, int fd, struct zl_error *err)
{
  struct zl_sink_totals totals;
  ssize_t n;
  int r;

  zl_tar_free(zl_steal_ptr(&p->tar));
  r = new_tar(p, err);
  while (r == 0 && (n = read(fd, p->input, INPUT_BUFFER)) != 0) {
    if (n < 0 && errno == EINTR)
      continue;
    r = n < 0 ? zl_fail_errno(err, "reading what lower layers give")
              : zl_tar_feed(p->tar, p->input, (size_t)n, err);
  }
  if (r == 0)
    r = zl_tar_finish(p->tar, err);
  if (r < 0)
    return r;
  p->ops->get_totals(p->sink, &totals);
  if (totals.n_deferred > 0)
    return zl_fail(err, ZL_E_CORRUPT, 0, "%zu hard links to files that are in no layer",
                   totals.n_deferred);
  return p->ops->seal(p->sink, err);
}
