/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target of the decoders: the first byte chooses the format and how the stream is cut. The two
 * gzip engines must agree on every stream that both accept.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "image/layer/decoder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
  MAX_OUTPUT = 1 << 20
};

struct output {
  uint8_t bytes[MAX_OUTPUT];
  size_t len;
};

static void require(bool condition)
{
  if (!condition)
    abort();
}

/* Everything through small buffers; false when the stream is refused (or too long for this test,
 * which is the same to both engines). */
static bool decode(enum zl_compression kind, const char *engine, const uint8_t *data, size_t size,
                   size_t step, struct output *out)
{
  ZL_CLEANUP(zl_decoder_freep) struct zl_decoder *decoder = NULL;
  struct zl_decoder_io io = { .avail_in = 0 };
  struct zl_error err = { 0 };

  if (zl_decoder_new(kind, engine, &decoder, &err) < 0)
    return false;
  out->len = 0;
  for (size_t at = 0; at < size; at += step) {
    io.next_in = data + at;
    io.avail_in = size - at < step ? size - at : step;
    do {
      io.next_out = out->bytes + out->len;
      io.avail_out = step * 5 < MAX_OUTPUT - out->len ? step * 5 : MAX_OUTPUT - out->len;
      if (io.avail_out == 0 || zl_decoder_pull(decoder, &io, &err) < 0)
        return false;
      out->len = (size_t)(io.next_out - out->bytes);
    } while (io.avail_out == 0);
    require(io.avail_in == 0);
  }
  return zl_decoder_done(decoder, &err) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static struct output one, two;
  bool a, b;
  size_t step;

  if (size < 1)
    return 0;
  step = 1 + (size_t)(data[0] >> 1) * 8;
  if (data[0] & 1) {
    (void)decode(ZL_COMPRESSION_ZSTD, NULL, data + 1, size - 1, step, &one);
    return 0;
  }
  a = decode(ZL_COMPRESSION_GZIP, NULL, data + 1, size - 1, step, &one);
  b = decode(ZL_COMPRESSION_GZIP, "zlib", data + 1, size - 1, size, &two);
  require(!a || !b || (one.len == two.len && memcmp(one.bytes, two.bytes, one.len) == 0));
  return 0;
}
