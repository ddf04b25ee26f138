/* SPDX-License-Identifier: Apache-2.0
 *
 * The decoders against what the compressors themselves make; the formats' edges are in hostile.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "image/layer/decoder.h"

enum {
  PLAIN = 1 << 20,
  PACKED = PLAIN + (PLAIN >> 2)
};

static uint8_t plain[PLAIN], packed[PACKED], unpacked[PLAIN + 1];

static const char *const engines[] = {
  "zlib",
#ifdef ZL_HAVE_ISAL
  "isal",
#endif
};

/* Part noise, part text, part zeros: literals, matches and stored blocks all occur. */
static int make_plain(void **state)
{
  uint32_t x = 12345;

  (void)state;
  for (size_t i = 0; i < PLAIN / 2; i++) {
    x = x * 1103515245 + 12345;
    plain[i] = i < PLAIN / 4 ? (uint8_t)(x >> 16) : (uint8_t)("layers and links\n"[x >> 28]);
  }
  return 0;
}

/* One gzip member of plain[from .. to) appended at packed + at; the new end. */
static size_t pack_gzip(size_t at, size_t from, size_t to, int level)
{
  z_stream zs = { .next_in = plain + from,
                  .avail_in = (uInt)(to - from),
                  .next_out = packed + at,
                  .avail_out = (uInt)(PACKED - at) };

  assert_int_equal(deflateInit2(&zs, level, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
  assert_int_equal(deflate(&zs, Z_FINISH), Z_STREAM_END);
  (void)deflateEnd(&zs);
  return (size_t)(zs.next_out - packed);
}

static int decode(enum zl_compression kind, const char *engine, size_t len, size_t in_step,
                  size_t out_step, size_t *ret_len, struct zl_error *err)
{
  ZL_CLEANUP(zl_decoder_freep) struct zl_decoder *decoder = NULL;
  struct zl_decoder_io io = { .next_out = unpacked };
  size_t room = sizeof(unpacked);
  int r = zl_decoder_new(kind, engine, &decoder, err);

  assert_int_equal(r, 0);
  for (size_t at = 0; at < len; at += in_step) {
    io.next_in = packed + at;
    io.avail_in = len - at < in_step ? len - at : in_step;
    do {
      size_t step = room < out_step ? room : out_step;

      assert_true(step > 0);
      io.avail_out = step;
      r = zl_decoder_pull(decoder, &io, err);
      if (r < 0)
        return r;
      room -= step - io.avail_out;
    } while (io.avail_out == 0);
    assert_int_equal(io.avail_in, 0);
  }
  *ret_len = sizeof(unpacked) - room;
  return zl_decoder_done(decoder, err);
}

static void expect_plain(enum zl_compression kind, const char *engine, size_t len, size_t in_step,
                         size_t out_step)
{
  struct zl_error err = { 0 };
  size_t got = 0;

  if (decode(kind, engine, len, in_step, out_step, &got, &err) < 0)
    fail_msg("%s in %zu out %zu: %s", engine, in_step, out_step, err.msg);
  assert_int_equal(got, PLAIN);
  assert_memory_equal(unpacked, plain, PLAIN);
}

static void gzip_in_any_pieces(void **state)
{
  static const size_t in_steps[] = { 1, 3, 1000, 65536, PACKED };
  static const size_t out_steps[] = { 1, 77, 4096, 262144 };

  (void)state;
  for (int level = 0; level <= 9; level += 3) {
    size_t len = pack_gzip(0, 0, PLAIN, level);

    for (size_t e = 0; e < ZL_COUNT(engines); e++)
      for (size_t i = 0; i < ZL_COUNT(in_steps); i++)
        for (size_t o = 0; o < ZL_COUNT(out_steps); o++)
          if (level == 6 || (in_steps[i] > 3 && out_steps[o] > 77))
            expect_plain(ZL_COMPRESSION_GZIP, engines[e], len, in_steps[i], out_steps[o]);
  }
}

static void gzip_of_many_members(void **state)
{
  size_t len = 0;

  (void)state;
  for (size_t at = 0; at < PLAIN; at += PLAIN / 64)
    len = pack_gzip(pack_gzip(len, at, at + PLAIN / 64, 6), 0, 0, 6);
  for (size_t e = 0; e < ZL_COUNT(engines); e++) {
    expect_plain(ZL_COMPRESSION_GZIP, engines[e], len, 1, 100);
    expect_plain(ZL_COMPRESSION_GZIP, engines[e], len, PACKED, PLAIN);
  }
}

/* Every cut and every changed byte of a small member is noticed. */
static void gzip_damage_is_found(void **state)
{
  size_t len = pack_gzip(0, PLAIN / 4, PLAIN / 4 + 300, 6), got;
  struct zl_error err = { 0 };

  (void)state;
  for (size_t e = 0; e < ZL_COUNT(engines); e++) {
    for (size_t cut = 0; cut < len; cut++)
      assert_int_equal(decode(ZL_COMPRESSION_GZIP, engines[e], cut, PACKED, 4096, &got, &err),
                       -ZL_E_CORRUPT);
    for (size_t at = 0; at < len; at++) {
      if (at >= 4 && at < 10)
        continue; /* time, level and system: nothing protects them */
      for (int bit = 0; bit < 8; bit++) {
        int r;

        packed[at] ^= (uint8_t)(1 << bit);
        r = decode(ZL_COMPRESSION_GZIP, engines[e], len, PACKED, 4096, &got, &err);
        packed[at] ^= (uint8_t)(1 << bit);
        if (r == 0 && !(at == 3 && bit == 0)) /* "probably text" is a hint */
          assert_memory_equal(unpacked, plain + PLAIN / 4, 300);
      }
    }
    packed[len] = 0;
    assert_int_equal(decode(ZL_COMPRESSION_GZIP, engines[e], len + 1, 1, 4096, &got, &err),
                     -ZL_E_CORRUPT);
  }
}

static void zstd_in_any_pieces(void **state)
{
  static const size_t in_steps[] = { 1, 1000, PACKED };
  static const size_t out_steps[] = { 1, 4096, PLAIN };
  size_t half = ZSTD_compress(packed, PACKED, plain, PLAIN / 2, 3), got;
  size_t len = half + ZSTD_compress(packed + half, PACKED - half, plain + PLAIN / 2, PLAIN / 2, 9);
  struct zl_error err = { 0 };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(in_steps); i++)
    for (size_t o = 0; o < ZL_COUNT(out_steps); o++)
      expect_plain(ZL_COMPRESSION_ZSTD, NULL, len, in_steps[i], out_steps[o]);
  for (size_t cut = 0; cut < len; cut += cut < 64 ? 1 : 4999)
    if (cut != half)
      assert_int_equal(decode(ZL_COMPRESSION_ZSTD, NULL, cut, PACKED, PLAIN, &got, &err),
                       -ZL_E_CORRUPT);
}

static void formats_are_told_apart(void **state)
{
  static const struct {
    const char *bytes;
    size_t len;
    enum zl_compression kind;
  } cases[] = {
    { "\x1f\x8b", 2, ZL_COMPRESSION_GZIP },
    { "\x1f", 1, ZL_COMPRESSION_NONE },
    { "\x28\xb5\x2f\xfd", 4, ZL_COMPRESSION_ZSTD },
    { "\x28\xb5\x2f", 3, ZL_COMPRESSION_NONE },
    { "\x5f\x2a\x4d\x18", 4, ZL_COMPRESSION_ZSTD },
    { "etc/", 4, ZL_COMPRESSION_NONE },
    { "", 0, ZL_COMPRESSION_NONE },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++)
    assert_int_equal(zl_compression_sniff((const uint8_t *)cases[i].bytes, cases[i].len),
                     cases[i].kind);
}

static void unknown_engines_are_refused(void **state)
{
  struct zl_decoder *decoder = NULL;
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(zl_decoder_new(ZL_COMPRESSION_GZIP, "magic", &decoder, &err), -ZL_E_UNSUPPORTED);
  assert_null(decoder);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(gzip_in_any_pieces),     cmocka_unit_test(gzip_of_many_members),
    cmocka_unit_test(gzip_damage_is_found),   cmocka_unit_test(zstd_in_any_pieces),
    cmocka_unit_test(formats_are_told_apart), cmocka_unit_test(unknown_engines_are_refused),
  };

  return cmocka_run_group_tests(tests, make_plain, NULL);
}
