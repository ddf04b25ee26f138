/* SPDX-License-Identifier: Apache-2.0
 *
 * A growing byte buffer with a mandatory maximum. The content is always followed by a NUL that does
 * not count, so `data` may be used as a string when no NUL was appended.
 */
#ifndef ZL_BASE_BUF_H
#define ZL_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>
#include <zlayer/error.h>

#include "base/cleanup.h"

struct zl_buf {
  char *data; /* NULL while empty */
  size_t len;
  size_t cap;
  size_t max; /* ZL_E_LIMIT past this */
};

#define ZL_BUF_INIT(maximum)                           \
  {                                                    \
    .data = NULL, .len = 0, .cap = 0, .max = (maximum) \
  }

/* Frees the content; the buffer may be used again with the same maximum. */
void zl_buf_done(struct zl_buf *buf);
/* Keeps the memory, drops the content. */
void zl_buf_clear(struct zl_buf *buf);

/* Each appends or fails with ZL_E_LIMIT / ZL_E_NO_MEMORY and leaves the content as it was. */
int zl_buf_append(struct zl_buf *buf, const void *data, size_t len, struct zl_error *err);
int zl_buf_puts(struct zl_buf *buf, const char *text, struct zl_error *err);
int zl_buf_printf(struct zl_buf *buf, struct zl_error *err, const char *fmt, ...) ZL_PRINTF(3, 4);

/* Makes room for `len` more bytes; the caller writes at data + len and then adds to `len`. */
int zl_buf_reserve(struct zl_buf *buf, size_t len, struct zl_error *err);
/* Drops the first `len` bytes. */
void zl_buf_consume(struct zl_buf *buf, size_t len);
/* Hands the content out as a NUL-terminated string (never NULL; "" when empty; NULL only when out
 * of memory). The caller frees it. */
char *zl_buf_steal(struct zl_buf *buf);

#define zl_autobuf ZL_CLEANUP(zl_buf_done) struct zl_buf

#endif
