/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target of the gzip wrapper, which is ours, around both engines: the first byte says how the
 * stream is cut. What both engines accept, however it is cut, is the same, and is what zlib's own
 * reader of members makes of it. (ISA-L takes incomplete distance codes, which zlib refuses;
 * whether the bytes are right is for the digests to say.)
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "gzip_mutator.h"
#include "image/layer/decoder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
  MAX_OUTPUT = 16 << 10,
  GZIP_WINDOW = 16 + 15 /* zlib's word for "with the wrapper" */
};

struct output {
  uint8_t bytes[MAX_OUTPUT];
  size_t len;
};

enum verdict {
  ACCEPTED,
  REFUSED,
  TOO_LONG /* for this test */
};

static void require(bool condition)
{
  if (!condition)
    abort();
}

static enum verdict drain(struct zl_decoder *decoder, struct zl_decoder_io *io, size_t room,
                          struct output *out)
{
  struct zl_error err = { 0 };

  do {
    size_t left = MAX_OUTPUT - out->len;
    int r;

    if (left == 0)
      return TOO_LONG;
    io->next_out = out->bytes + out->len;
    io->avail_out = room < left ? room : left;
    r = zl_decoder_pull(decoder, io, &err);
    if (r < 0) {
      require(-r == (int)err.code && err.msg[0] != '\0');
      return REFUSED;
    }
    out->len = (size_t)(io->next_out - out->bytes);
  } while (io->avail_out == 0);
  require(io->avail_in == 0);
  return ACCEPTED;
}

static enum verdict decode(const char *engine, const uint8_t *data, size_t size, size_t step,
                           struct output *out)
{
  ZL_CLEANUP(zl_decoder_freep) struct zl_decoder *decoder = NULL;
  enum verdict verdict = ACCEPTED;

  require(zl_decoder_new(ZL_COMPRESSION_GZIP, engine, &decoder, NULL) == 0);
  out->len = 0;
  for (size_t at = 0; at < size && verdict == ACCEPTED; at += step) {
    size_t len = size - at < step ? size - at : step;
    struct zl_decoder_io io = { .next_in = data + at, .avail_in = len };

    verdict = drain(decoder, &io, step * 3, out);
  }
  if (verdict != ACCEPTED)
    return verdict;
  return zl_decoder_done(decoder, NULL) == 0 ? ACCEPTED : REFUSED;
}

/* All members by zlib alone, which must have nothing against what we accept. */
static void check_members(const uint8_t *data, size_t size, const struct output *ours)
{
  static struct output theirs;
  static z_stream z;
  static bool ready;

  require(ready || inflateInit2(&z, GZIP_WINDOW) == Z_OK);
  ready = true;
  z.next_in = (uint8_t *)(uintptr_t)data;
  z.avail_in = (unsigned)size;
  z.next_out = theirs.bytes;
  z.avail_out = MAX_OUTPUT;
  do
    require(inflateReset(&z) == Z_OK && inflate(&z, Z_FINISH) == Z_STREAM_END);
  while (z.avail_in > 0);
  require(MAX_OUTPUT - z.avail_out == ours->len &&
          memcmp(theirs.bytes, ours->bytes, ours->len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static struct output one, two;
  const char *first, *second;

  if (size < 1)
    return 0;
  first = (data[0] & 1) != 0 ? "zlib" : NULL;
  second = first != NULL ? NULL : "zlib";
  if (decode(first, data + 1, size - 1, 1 + (size_t)(data[0] >> 1) * 4, &one) != ACCEPTED)
    return 0;
  if (decode(second, data + 1, size - 1, size, &two) != ACCEPTED)
    return 0;
  require(one.len == two.len && memcmp(one.bytes, two.bytes, one.len) == 0);
  if (one.len < MAX_OUTPUT)
    check_members(data + 1, size - 1, &one);
  return 0;
}
