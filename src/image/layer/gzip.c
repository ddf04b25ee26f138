/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/gzip.h"

#include <stdlib.h>
#include <string.h>

enum part {
  FIXED, /* the first ten bytes */
  EXTRA_LEN,
  EXTRA,
  NAME,
  COMMENT,
  HEADER_CRC,
  BODY,
  TRAILER
};

enum {
  FIXED_LEN = 10,
  TRAILER_LEN = 8,
  FLAG_HCRC = 2,
  FLAG_EXTRA = 4,
  FLAG_NAME = 8,
  FLAG_COMMENT = 16,
  FLAGS_RESERVED = 0xe0,
  MAX_TEXT = 64 << 10 /* of a name or comment: they have no length field */
};

struct gzip {
  const struct zl_inflate_ops *engine;
  void *inflate;
  enum part part;
  uint8_t field[FIXED_LEN]; /* being gathered */
  size_t have;              /* bytes of the field or text so far */
  size_t extra_len;
  uint8_t flags;
  uint32_t header_crc;
  uint32_t crc;    /* of the decoded bytes */
  uint32_t length; /* of them, modulo 2^32 as in the trailer */
  bool any;        /* one member is complete */
};

static uint32_t load32(const uint8_t *p)
{
  return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static int damaged(struct zl_error *err, const char *what)
{
  return zl_fail(err, ZL_E_CORRUPT, 0, "damaged gzip data: %s", what);
}

static bool is_present(const struct gzip *gz, enum part part)
{
  switch (part) {
  case EXTRA_LEN:
  case EXTRA:
    return gz->flags & FLAG_EXTRA;
  case NAME:
    return gz->flags & FLAG_NAME;
  case COMMENT:
    return gz->flags & FLAG_COMMENT;
  case HEADER_CRC:
    return gz->flags & FLAG_HCRC;
  default:
    return true;
  }
}

/* On to the next part of the header that this member has. */
static void next_part(struct gzip *gz)
{
  do
    gz->part++;
  while (!is_present(gz, gz->part) || (gz->part == EXTRA && gz->extra_len == 0));
  gz->have = 0;
  if (gz->part == BODY) {
    gz->engine->reset(gz->inflate);
    gz->crc = 0;
    gz->length = 0;
  }
}

static int take_fixed(struct gzip *gz, struct zl_error *err)
{
  size_t n = gz->have;

  if ((n >= 1 && gz->field[0] != 0x1f) || (n >= 2 && gz->field[1] != 0x8b))
    return gz->any ? damaged(err, "other bytes follow its end")
                   : zl_fail(err, ZL_E_CORRUPT, 0, "not gzip data");
  if (n < FIXED_LEN)
    return 0;
  if (gz->field[2] != 8 || (gz->field[3] & FLAGS_RESERVED) != 0)
    return damaged(err, "unknown method or flags");
  gz->flags = gz->field[3];
  next_part(gz);
  return 0;
}

static int take_trailer(struct gzip *gz, struct zl_error *err)
{
  if (gz->have < TRAILER_LEN)
    return 0;
  if (load32(gz->field) != gz->crc)
    return damaged(err, "wrong checksum");
  if (load32(gz->field + 4) != gz->length)
    return damaged(err, "wrong length");
  gz->any = true;
  gz->part = FIXED;
  gz->have = 0;
  gz->header_crc = 0;
  return 0;
}

static int take_text(struct gzip *gz, uint8_t byte, struct zl_error *err)
{
  if (byte == '\0')
    next_part(gz);
  else if (gz->have > MAX_TEXT)
    return damaged(err, "endless name");
  return 0;
}

/* One byte of a header or trailer. */
static int take_byte(struct gzip *gz, uint8_t byte, struct zl_error *err)
{
  bool in_header = gz->part < HEADER_CRC;

  if (in_header)
    gz->header_crc = gz->engine->crc(gz->header_crc, &byte, 1);
  if (gz->have < sizeof(gz->field))
    gz->field[gz->have] = byte;
  gz->have++;
  switch (gz->part) {
  case FIXED:
    return take_fixed(gz, err);
  case EXTRA_LEN:
    if (gz->have == 2) {
      gz->extra_len = (size_t)gz->field[0] | (size_t)gz->field[1] << 8;
      next_part(gz);
    }
    return 0;
  case EXTRA:
    if (gz->have == gz->extra_len)
      next_part(gz);
    return 0;
  case NAME:
  case COMMENT:
    return take_text(gz, byte, err);
  case HEADER_CRC:
    if (gz->have == 2) {
      if ((gz->header_crc & 0xffff) != (uint32_t)(gz->field[0] | gz->field[1] << 8))
        return damaged(err, "wrong header checksum");
      next_part(gz);
    }
    return 0;
  case TRAILER:
    return take_trailer(gz, err);
  case BODY:
    break;
  }
  return zl_fail(err, ZL_E_INTERNAL, 0, "gzip reader in a wrong state");
}

static int run_body(struct gzip *gz, struct zl_decoder_io *io, struct zl_error *err)
{
  uint8_t *start = io->next_out;
  uint8_t rest[ZL_INFLATE_REST];
  size_t n_rest = 0;
  bool end = false;
  int r = gz->engine->run(gz->inflate, io, &end, rest, &n_rest, err);

  if (r < 0)
    return r;
  gz->crc = gz->engine->crc(gz->crc, start, (size_t)(io->next_out - start));
  gz->length += (uint32_t)(io->next_out - start);
  if (!end)
    return 0;
  gz->part = TRAILER;
  gz->have = 0;
  for (size_t i = 0; i < n_rest && r == 0; i++)
    r = take_byte(gz, rest[i], err);
  return r;
}

static int gzip_pull(void *state, struct zl_decoder_io *io, struct zl_error *err)
{
  struct gzip *gz = state;
  int r = 0;

  while (r == 0 && io->avail_out > 0) {
    if (gz->part == BODY) {
      size_t in = io->avail_in, out = io->avail_out;

      r = run_body(gz, io, err);
      if (gz->part == BODY && in == io->avail_in && out == io->avail_out)
        break; /* wants more input */
    } else if (io->avail_in > 0) {
      io->avail_in--;
      r = take_byte(gz, *io->next_in++, err);
    } else {
      break;
    }
  }
  return r;
}

static int gzip_done(void *state, struct zl_error *err)
{
  const struct gzip *gz = state;

  if (gz->any && gz->part == FIXED && gz->have == 0)
    return 0;
  return zl_fail(err, ZL_E_CORRUPT, 0, "the gzip data is cut off");
}

static void gzip_free(void *state)
{
  struct gzip *gz = state;

  if (gz == NULL)
    return;
  if (gz->inflate != NULL)
    gz->engine->free(gz->inflate);
  free(gz);
}

static int gzip_open(const struct zl_inflate_ops *engine, void **ret_state, struct zl_error *err)
{
  struct gzip *gz = calloc(1, sizeof(*gz));
  int r;

  if (gz == NULL)
    return zl_fail_nomem(err, "gzip decoder");
  gz->engine = engine;
  r = engine->open(&gz->inflate, err);
  if (r < 0) {
    gzip_free(gz);
    return r;
  }
  *ret_state = gz;
  return 0;
}

static int open_zlib(void **ret_state, struct zl_error *err)
{
  return gzip_open(&zl_inflate_zlib, ret_state, err);
}

static const struct zl_decoder_ops zlib_ops = { "gzip/zlib", open_zlib, gzip_pull, gzip_done,
                                                gzip_free };

#ifdef ZL_HAVE_ISAL
static int open_isal(void **ret_state, struct zl_error *err)
{
  return gzip_open(&zl_inflate_isal, ret_state, err);
}

static const struct zl_decoder_ops isal_ops = { "gzip/isal", open_isal, gzip_pull, gzip_done,
                                                gzip_free };
#endif

const struct zl_decoder_ops *zl_gzip_find(const char *engine)
{
#ifdef ZL_HAVE_ISAL
  if (engine == NULL || strcmp(engine, "isal") == 0)
    return &isal_ops;
#endif
  return engine == NULL || strcmp(engine, "zlib") == 0 ? &zlib_ops : NULL;
}
