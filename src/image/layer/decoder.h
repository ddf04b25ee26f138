/* SPDX-License-Identifier: Apache-2.0
 *
 * Decompression of one blob, streaming and with bounded memory.
 */
#ifndef ZL_IMAGE_LAYER_DECODER_H
#define ZL_IMAGE_LAYER_DECODER_H

#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/cleanup.h"
#include "image/layer/compression.h"

/* Where the bytes come from and go to; both sides are advanced. */
struct zl_decoder_io {
  const uint8_t *next_in;
  size_t avail_in;
  uint8_t *next_out;
  size_t avail_out;
};

/* One format. A state is owned by its decoder; `free` accepts NULL. */
struct zl_decoder_ops {
  const char *name;
  int (*open)(void **ret_state, struct zl_error *err);
  int (*pull)(void *state, struct zl_decoder_io *io, struct zl_error *err);
  int (*done)(void *state, struct zl_error *err);
  void (*free)(void *state);
};

struct zl_decoder;

/* `engine` chooses the program code behind gzip: "isal" (where built) or "zlib"; NULL is the
 * fastest. ZL_E_UNSUPPORTED: no such engine here. Not for ZL_COMPRESSION_AUTO. */
int zl_decoder_new(enum zl_compression compression, const char *engine, struct zl_decoder **ret,
                   struct zl_error *err);

/* Decodes until the input is used up or the output is full. A full output may hide more: pull again
 * before giving more input. ZL_E_CORRUPT: not of this format, damaged, or garbage behind it;
 * ZL_E_LIMIT: needs more memory than allowed. */
int zl_decoder_pull(struct zl_decoder *decoder, struct zl_decoder_io *io, struct zl_error *err);

/* The input has ended. ZL_E_CORRUPT when it was cut off. */
int zl_decoder_done(struct zl_decoder *decoder, struct zl_error *err);

void zl_decoder_free(struct zl_decoder *decoder);
ZL_DEFINE_CLEANUP(struct zl_decoder, zl_decoder_free)

enum {
  ZL_SNIFF = 4 /* bytes wanted by zl_compression_sniff */
};

/* By magic number; what has none is ZL_COMPRESSION_NONE. */
enum zl_compression zl_compression_sniff(const uint8_t *bytes, size_t len);

#endif
