/* SPDX-License-Identifier: Apache-2.0
 *
 * The streams of which BackupWrite makes a file: each a WIN32_STREAM_ID, a name, and bytes.
 */
#ifndef ZL_IMAGE_WINDOWS_STREAMS_H
#define ZL_IMAGE_WINDOWS_STREAMS_H

#include <stdint.h>
#include <zlayer/error.h>

#include "base/buf.h"

enum zl_win_stream {
  ZL_WIN_STREAM_DATA = 1,
  ZL_WIN_STREAM_EA = 2,
  ZL_WIN_STREAM_SECURITY = 3,
  ZL_WIN_STREAM_ALTERNATE = 4,
  ZL_WIN_STREAM_REPARSE = 8
};

enum {
  ZL_WIN_STREAM_HEADER = 20
};

/* Appends the header of a stream of `size` bytes. `name` is that of an alternate stream without
 * colons, else NULL. */
int zl_win_stream_begin(struct zl_buf *buf, enum zl_win_stream kind, const char *name,
                        uint64_t size, struct zl_error *err);
/* A whole one. */
int zl_win_stream_put(struct zl_buf *buf, enum zl_win_stream kind, const struct zl_buf *content,
                      struct zl_error *err);

#endif
