/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

#include "image/layer/gzip.h"

enum {
  RAW_WINDOW = -15
};

static int zlib_open(void **ret_state, struct zl_error *err)
{
  z_stream *zs = calloc(1, sizeof(*zs));

  if (zs == NULL || inflateInit2(zs, RAW_WINDOW) != Z_OK) {
    free(zs);
    return zl_fail_nomem(err, "inflate state");
  }
  *ret_state = zs;
  return 0;
}

static void zlib_reset(void *state)
{
  (void)inflateReset(state);
}

static uInt clip(size_t len)
{
  return len > UINT_MAX ? UINT_MAX : (uInt)len;
}

/* zlib gives unused input back itself. */
static int zlib_run(void *state, struct zl_decoder_io *io, bool *ret_end,
                    uint8_t rest[ZL_INFLATE_REST], size_t *ret_rest, struct zl_error *err)
{
  z_stream *zs = state;
  uInt in = clip(io->avail_in), out = clip(io->avail_out);
  int r;

  (void)rest;
  zs->next_in = (z_const Bytef *)(uintptr_t)io->next_in;
  zs->avail_in = in;
  zs->next_out = io->next_out;
  zs->avail_out = out;
  r = inflate(zs, Z_NO_FLUSH);
  io->next_in += in - zs->avail_in;
  io->avail_in -= in - zs->avail_in;
  io->next_out += out - zs->avail_out;
  io->avail_out -= out - zs->avail_out;
  if (r == Z_MEM_ERROR)
    return zl_fail_nomem(err, "inflate window");
  if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
    return zl_fail(err, ZL_E_CORRUPT, 0, "damaged gzip data: %s",
                   zs->msg != NULL ? zs->msg : "invalid deflate stream");
  *ret_end = r == Z_STREAM_END;
  *ret_rest = 0;
  return 0;
}

static uint32_t zlib_crc(uint32_t crc, const uint8_t *bytes, size_t len)
{
  return (uint32_t)crc32_z(crc, bytes, len);
}

static void zlib_free(void *state)
{
  (void)inflateEnd(state);
  free(state);
}

const struct zl_inflate_ops zl_inflate_zlib = { "zlib",   zlib_open, zlib_reset,
                                                zlib_run, zlib_crc,  zlib_free };
