/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/zstd_frames.h"

#include <stdbool.h>
#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

enum {
  /* 128 MiB: what `zstd --long` writes and every reader takes without being asked. */
  MAX_WINDOW_LOG = 27
};

struct frames {
  ZSTD_DCtx *ctx;
  bool any;     /* input was seen */
  bool inside;  /* within a frame */
  bool pending; /* the output was too small for all that is decoded */
};

static void frames_free(void *state)
{
  struct frames *f = state;

  if (f == NULL)
    return;
  (void)ZSTD_freeDCtx(f->ctx);
  free(f);
}

static int frames_open(void **ret_state, struct zl_error *err)
{
  struct frames *f = calloc(1, sizeof(*f));

  if (f == NULL || (f->ctx = ZSTD_createDCtx()) == NULL ||
      ZSTD_isError(ZSTD_DCtx_setParameter(f->ctx, ZSTD_d_windowLogMax, MAX_WINDOW_LOG))) {
    frames_free(f);
    return zl_fail_nomem(err, "zstd decoder");
  }
  *ret_state = f;
  return 0;
}

static int frames_fail(size_t code, bool any, struct zl_error *err)
{
  switch (ZSTD_getErrorCode(code)) {
  case ZSTD_error_memory_allocation:
    return zl_fail_nomem(err, "zstd window");
  case ZSTD_error_frameParameter_windowTooLarge:
    return zl_fail(err, ZL_E_LIMIT, 0, "zstd data needs a window over 2^%d bytes", MAX_WINDOW_LOG);
  case ZSTD_error_prefix_unknown:
    return any ? zl_fail(err, ZL_E_CORRUPT, 0, "damaged zstd data: other bytes follow its end")
               : zl_fail(err, ZL_E_CORRUPT, 0, "not zstd data");
  default:
    return zl_fail(err, ZL_E_CORRUPT, 0, "damaged zstd data: %s", ZSTD_getErrorName(code));
  }
}

static int frames_pull(void *state, struct zl_decoder_io *io, struct zl_error *err)
{
  struct frames *f = state;

  while (io->avail_out > 0 && (io->avail_in > 0 || f->pending)) {
    ZSTD_inBuffer in = { .src = io->next_in, .size = io->avail_in };
    ZSTD_outBuffer out = { .dst = io->next_out, .size = io->avail_out };
    size_t more = ZSTD_decompressStream(f->ctx, &out, &in);

    if (ZSTD_isError(more))
      return frames_fail(more, f->any, err);
    io->next_in += in.pos;
    io->avail_in -= in.pos;
    io->next_out += out.pos;
    io->avail_out -= out.pos;
    f->any = f->any || in.pos > 0;
    f->inside = more != 0;
    f->pending = more != 0 && out.pos == out.size;
  }
  return 0;
}

static int frames_done(void *state, struct zl_error *err)
{
  const struct frames *f = state;

  if (!f->any || f->inside)
    return zl_fail(err, ZL_E_CORRUPT, 0, "the zstd data is cut off");
  return 0;
}

const struct zl_decoder_ops zl_zstd_ops = { "zstd", frames_open, frames_pull, frames_done,
                                            frames_free };
