/* SPDX-License-Identifier: Apache-2.0
 *
 * libFuzzer's mutations of a gzip stream behind one byte of settings, with magic numbers and
 * trailers put right: without that hardly one would come past the first member. For one target.
 */
#ifndef ZL_FUZZ_GZIP_MUTATOR_H
#define ZL_FUZZ_GZIP_MUTATOR_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>

enum {
  GZIP_HEADER = 10,
  GZIP_TRAILER = 8,
  GZIP_SCRATCH = 32 << 10
};

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size) __attribute__((weak));
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

static void put32(uint8_t *p, unsigned long value)
{
  for (int i = 0; i < 4; i++)
    p[i] = (uint8_t)(value >> (8 * i));
}

/* The deflate data at `body`: its length, or 0 when it does not end. Its sums go to `trailer`. */
static size_t deflate_end(const uint8_t *body, size_t size, uint8_t trailer[GZIP_TRAILER])
{
  static uint8_t scratch[GZIP_SCRATCH];
  static z_stream z;
  static int ready;
  size_t len;

  if (!ready && inflateInit2(&z, -15) != Z_OK)
    return 0;
  ready = 1;
  (void)inflateReset(&z);
  z.next_in = (uint8_t *)(uintptr_t)body;
  z.avail_in = (unsigned)size;
  z.next_out = scratch;
  z.avail_out = sizeof(scratch);
  if (inflate(&z, Z_FINISH) != Z_STREAM_END)
    return 0;
  len = sizeof(scratch) - z.avail_out;
  put32(trailer, crc32(0, scratch, (unsigned)len));
  put32(trailer + 4, len);
  return size - z.avail_in;
}

/* Puts one member right whose header has no optional parts; where the next one would begin. */
static size_t seal_member(uint8_t *data, size_t at, size_t *size, size_t max_size)
{
  uint8_t trailer[GZIP_TRAILER];
  size_t body = at + GZIP_HEADER, len;

  memcpy(data + at, "\x1f\x8b\x08", 3);
  if (data[at + 3] != 0)
    return *size;
  len = deflate_end(data + body, *size - body, trailer);
  if (len == 0 || body + len + GZIP_TRAILER > max_size)
    return *size;
  memcpy(data + body + len, trailer, GZIP_TRAILER);
  if (*size < body + len + GZIP_TRAILER)
    *size = body + len + GZIP_TRAILER;
  return body + len + GZIP_TRAILER;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
  size = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 4 == 0)
    return size;
  for (size_t at = 1; at + GZIP_HEADER + 2 <= size;)
    at = seal_member(data, at, &size, max_size);
  return size;
}

#endif
