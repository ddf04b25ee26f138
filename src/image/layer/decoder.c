/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/decoder.h"

#include <stdlib.h>
#include <string.h>

#include "image/layer/gzip.h"
#include "image/layer/zstd_frames.h"

struct zl_decoder {
  const struct zl_decoder_ops *ops;
  void *state;
};

static int none_open(void **ret_state, struct zl_error *err)
{
  (void)err;
  *ret_state = NULL;
  return 0;
}

static int none_pull(void *state, struct zl_decoder_io *io, struct zl_error *err)
{
  size_t n = io->avail_in < io->avail_out ? io->avail_in : io->avail_out;

  (void)state;
  (void)err;
  memcpy(io->next_out, io->next_in, n);
  io->next_in += n;
  io->avail_in -= n;
  io->next_out += n;
  io->avail_out -= n;
  return 0;
}

static int none_done(void *state, struct zl_error *err)
{
  (void)state;
  (void)err;
  return 0;
}

static void none_free(void *state)
{
  (void)state;
}

static const struct zl_decoder_ops none_ops = { "none", none_open, none_pull, none_done,
                                                none_free };

static const struct zl_decoder_ops *find_ops(enum zl_compression compression, const char *engine)
{
  switch (compression) {
  case ZL_COMPRESSION_NONE:
    return &none_ops;
  case ZL_COMPRESSION_GZIP:
    return zl_gzip_find(engine);
  case ZL_COMPRESSION_ZSTD:
    return &zl_zstd_ops;
  case ZL_COMPRESSION_AUTO:
    break;
  }
  return NULL;
}

int zl_decoder_new(enum zl_compression compression, const char *engine, struct zl_decoder **ret,
                   struct zl_error *err)
{
  const struct zl_decoder_ops *ops = find_ops(compression, engine);
  ZL_CLEANUP(zl_decoder_freep) struct zl_decoder *decoder = NULL;
  int r;

  if (ops == NULL)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0, "no decoder for '%s' (engine '%s')",
                   zl_compression_name(compression), engine != NULL ? engine : "any");
  decoder = calloc(1, sizeof(*decoder));
  if (decoder == NULL)
    return zl_fail_nomem(err, "decoder");
  r = ops->open(&decoder->state, err);
  if (r < 0)
    return r;
  decoder->ops = ops;
  *ret = zl_steal_ptr(&decoder);
  return 0;
}

int zl_decoder_pull(struct zl_decoder *decoder, struct zl_decoder_io *io, struct zl_error *err)
{
  return decoder->ops->pull(decoder->state, io, err);
}

int zl_decoder_done(struct zl_decoder *decoder, struct zl_error *err)
{
  return decoder->ops->done(decoder->state, err);
}

void zl_decoder_free(struct zl_decoder *decoder)
{
  if (decoder == NULL)
    return;
  if (decoder->ops != NULL)
    decoder->ops->free(decoder->state);
  free(decoder);
}

enum zl_compression zl_compression_sniff(const uint8_t *bytes, size_t len)
{
  static const uint8_t gzip[] = { 0x1f, 0x8b }, zstd[] = { 0x28, 0xb5, 0x2f, 0xfd },
                       skippable[] = { 0x2a, 0x4d, 0x18 };

  if (len >= 2 && memcmp(bytes, gzip, sizeof(gzip)) == 0)
    return ZL_COMPRESSION_GZIP;
  if (len >= 4 && memcmp(bytes, zstd, sizeof(zstd)) == 0)
    return ZL_COMPRESSION_ZSTD;
  if (len >= 4 && (bytes[0] & 0xf0) == 0x50 && memcmp(bytes + 1, skippable, 3) == 0)
    return ZL_COMPRESSION_ZSTD;
  return ZL_COMPRESSION_NONE;
}
