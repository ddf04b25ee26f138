/* SPDX-License-Identifier: Apache-2.0 */
#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#include <limits.h>
#include <stdlib.h>

#include "image/layer/gzip.h"

static int isal_open(void **ret_state, struct zl_error *err)
{
  struct inflate_state *s = calloc(1, sizeof(*s));

  if (s == NULL)
    return zl_fail_nomem(err, "inflate state");
  isal_inflate_init(s);
  *ret_state = s;
  return 0;
}

static void isal_reset(void *state)
{
  isal_inflate_reset(state);
}

static uint32_t clip(size_t len)
{
  return len > UINT_MAX ? UINT_MAX : (uint32_t)len;
}

/* In raw mode the bytes behind the stream that were read ahead stay in the bit buffer; the bits up
 * to the next byte boundary belong to the stream. */
static size_t take_rest(struct inflate_state *s, uint8_t rest[ZL_INFLATE_REST])
{
  size_t n = s->read_in_length > 0 ? (size_t)s->read_in_length / 8 : 0;
  uint64_t bits = s->read_in >> (s->read_in_length > 0 ? s->read_in_length % 8 : 0);

  for (size_t i = 0; i < n && i < ZL_INFLATE_REST; i++, bits >>= 8)
    rest[i] = (uint8_t)bits;
  s->read_in_length = 0;
  s->read_in = 0;
  return n;
}

static int isal_run(void *state, struct zl_decoder_io *io, bool *ret_end,
                    uint8_t rest[ZL_INFLATE_REST], size_t *ret_rest, struct zl_error *err)
{
  struct inflate_state *s = state;
  uint32_t in = clip(io->avail_in), out = clip(io->avail_out);
  int r;

  s->next_in = (uint8_t *)(uintptr_t)io->next_in;
  s->avail_in = in;
  s->next_out = io->next_out;
  s->avail_out = out;
  r = isal_inflate(s);
  io->next_in += in - s->avail_in;
  io->avail_in -= in - s->avail_in;
  io->next_out += out - s->avail_out;
  io->avail_out -= out - s->avail_out;
  if (r != ISAL_DECOMP_OK && r != ISAL_END_INPUT && r != ISAL_OUT_OVERFLOW)
    return zl_fail(err, ZL_E_CORRUPT, 0, "damaged gzip data: invalid deflate stream (%d)", r);
  *ret_end = s->block_state == ISAL_BLOCK_FINISH;
  *ret_rest = *ret_end ? take_rest(s, rest) : 0;
  return 0;
}

static uint32_t isal_crc(uint32_t crc, const uint8_t *bytes, size_t len)
{
  return crc32_gzip_refl(crc, bytes, len);
}

static void isal_free(void *state)
{
  free(state);
}

const struct zl_inflate_ops zl_inflate_isal = { "isal",   isal_open, isal_reset,
                                                isal_run, isal_crc,  isal_free };
