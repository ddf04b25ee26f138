/* SPDX-License-Identifier: Apache-2.0 */
#include "image/compress.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

enum {
  OUTPUT = 128 << 10,
  GZIP_WINDOW = 15 + 16, /* the largest window, and gzip's frame around it */
  GZIP_MEMORY = 8,
  GZIP_LEVEL = 6,
  ZSTD_LEVEL = 3
};

/* ---- The libraries --------------------------------------------------------------------------- */

struct symbol {
  const char *name;
  void *slot;
};

static bool load(const char *file, const struct symbol *symbols, size_t n)
{
  void *so = dlopen(file, RTLD_NOW | RTLD_LOCAL);

  for (size_t i = 0; so != NULL && i < n; i++) {
    void *sym = dlsym(so, symbols[i].name);

    __builtin_memcpy(symbols[i].slot, &sym, sizeof(sym));
    if (sym == NULL)
      so = NULL;
  }
  return so != NULL;
}

static struct {
  __typeof__(&deflateInit2_) init;
  __typeof__(&deflate) run;
  __typeof__(&deflateEnd) end;
  bool ready;
} z;

static struct {
  __typeof__(&ZSTD_createCCtx) create;
  __typeof__(&ZSTD_freeCCtx) free;
  __typeof__(&ZSTD_CCtx_setParameter) set;
  __typeof__(&ZSTD_compressStream2) run;
  __typeof__(&ZSTD_isError) is_error;
  bool ready;
} zs;

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load_all(void)
{
  const struct symbol gzip[] = { { "deflateInit2_", &z.init },
                                 { "deflate", &z.run },
                                 { "deflateEnd", &z.end } };
  const struct symbol zstd[] = { { "ZSTD_createCCtx", &zs.create },
                                 { "ZSTD_freeCCtx", &zs.free },
                                 { "ZSTD_CCtx_setParameter", &zs.set },
                                 { "ZSTD_compressStream2", &zs.run },
                                 { "ZSTD_isError", &zs.is_error } };

  z.ready = load("libz.so.1", gzip, ZL_COUNT(gzip));
  zs.ready = load("libzstd.so.1", zstd, ZL_COUNT(zstd));
}

/* ---- One stream ------------------------------------------------------------------------------ */

struct zl_compressor {
  enum zl_compression how;
  const struct zl_byte_sink *to;
  z_stream stream;
  bool started; /* `stream` */
  ZSTD_CCtx *context;
  uint8_t out[OUTPUT];
};

void zl_compressor_free(struct zl_compressor *c)
{
  if (c == NULL)
    return;
  if (c->started)
    (void)z.end(&c->stream);
  if (c->context != NULL)
    (void)zs.free(c->context);
  free(c);
}

static int start(struct zl_compressor *c, struct zl_error *err)
{
  (void)pthread_once(&once, load_all);
  if (c->how == ZL_COMPRESSION_GZIP && z.ready)
    c->started = z.init(&c->stream, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY,
                        Z_DEFAULT_STRATEGY, ZLIB_VERSION, (int)sizeof(c->stream)) == Z_OK;
  else if (c->how == ZL_COMPRESSION_ZSTD && zs.ready)
    c->context = zs.create();
  else if (c->how != ZL_COMPRESSION_NONE)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0, "no library for compression with %s (package %s)",
                   zl_compression_name(c->how),
                   c->how == ZL_COMPRESSION_ZSTD ? "libzstd1" : "zlib1g");
  if (c->how != ZL_COMPRESSION_NONE && !c->started && c->context == NULL)
    return zl_fail_nomem(err, "compressing a layer");
  if (c->context != NULL)
    (void)zs.set(c->context, ZSTD_c_compressionLevel, ZSTD_LEVEL);
  return 0;
}

int zl_compressor_new(enum zl_compression how, const struct zl_byte_sink *to,
                      struct zl_compressor **ret, struct zl_error *err)
{
  ZL_CLEANUP(zl_compressor_freep) struct zl_compressor *c = calloc(1, sizeof(*c));
  int r;

  if (c == NULL)
    return zl_fail_nomem(err, "compressing a layer");
  c->how = how;
  c->to = to;
  r = start(c, err);
  if (r < 0)
    return r;
  *ret = zl_steal_ptr(&c);
  return 0;
}

static int run_gzip(struct zl_compressor *c, const void *data, size_t len, bool last,
                    struct zl_error *err)
{
  const uint8_t *next = data;
  int code, r = 0;

  do {
    uInt part = len > UINT_MAX ? UINT_MAX : (uInt)len;

    c->stream.next_in = (Bytef *)(uintptr_t)next;
    c->stream.avail_in = part;
    c->stream.next_out = c->out;
    c->stream.avail_out = OUTPUT;
    code = z.run(&c->stream, last ? Z_FINISH : Z_NO_FLUSH);
    if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
      return zl_fail(err, ZL_E_INTERNAL, 0, "compressing with zlib: error %d", code);
    next += part - c->stream.avail_in;
    len -= part - c->stream.avail_in;
    if (c->stream.avail_out < OUTPUT)
      r = c->to->write(c->to->ctx, c->out, OUTPUT - c->stream.avail_out, err);
  } while (r == 0 && (len > 0 || (last && code != Z_STREAM_END)));
  return r;
}

static int run_zstd(struct zl_compressor *c, const void *data, size_t len, bool last,
                    struct zl_error *err)
{
  ZSTD_inBuffer in = { .src = data, .size = len };
  size_t left;
  int r = 0;

  do {
    ZSTD_outBuffer out = { .dst = c->out, .size = OUTPUT };

    left = zs.run(c->context, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
    if (zs.is_error(left))
      return zl_fail(err, ZL_E_INTERNAL, 0, "compressing with zstd failed");
    if (out.pos > 0)
      r = c->to->write(c->to->ctx, c->out, out.pos, err);
  } while (r == 0 && (in.pos < in.size || (last && left > 0)));
  return r;
}

static int run(struct zl_compressor *c, const void *data, size_t len, bool last,
               struct zl_error *err)
{
  switch (c->how) {
  case ZL_COMPRESSION_GZIP:
    return run_gzip(c, data, len, last, err);
  case ZL_COMPRESSION_ZSTD:
    return run_zstd(c, data, len, last, err);
  default:
    return len > 0 ? c->to->write(c->to->ctx, data, len, err) : 0;
  }
}

int zl_compressor_write(struct zl_compressor *c, const void *data, size_t len, struct zl_error *err)
{
  return run(c, data, len, false, err);
}

int zl_compressor_finish(struct zl_compressor *c, struct zl_error *err)
{
  return run(c, NULL, 0, true, err);
}
