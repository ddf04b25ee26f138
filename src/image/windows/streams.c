/* SPDX-License-Identifier: Apache-2.0 */
#include "image/windows/streams.h"

#include "image/windows/little.h"
#include "image/windows/text.h"

enum {
  SIZE_AT = 8,
  NAME_SIZE_AT = 16
};

int zl_win_stream_begin(struct zl_buf *buf, enum zl_win_stream kind, const char *name,
                        uint64_t size, struct zl_error *err)
{
  const size_t start = buf->len;
  uint8_t header[ZL_WIN_STREAM_HEADER] = { 0 };
  int r = zl_buf_append(buf, header, sizeof(header), err);

  if (r == 0 && name != NULL) {
    r = zl_win_text_put(buf, ":", err);
    if (r == 0)
      r = zl_win_text_put(buf, name, err);
    if (r == 0)
      r = zl_win_text_put(buf, ":$DATA", err);
  }
  if (r < 0)
    return r;
  zl_little_put((uint8_t *)buf->data + start, (uint64_t)kind, 4);
  zl_little_put((uint8_t *)buf->data + start + SIZE_AT, size, 8);
  zl_little_put((uint8_t *)buf->data + start + NAME_SIZE_AT,
                buf->len - start - ZL_WIN_STREAM_HEADER, 4);
  return 0;
}

int zl_win_stream_put(struct zl_buf *buf, enum zl_win_stream kind, const struct zl_buf *content,
                      struct zl_error *err)
{
  int r = zl_win_stream_begin(buf, kind, NULL, content->len, err);

  return r == 0 ? zl_buf_append(buf, content->data, content->len, err) : r;
}
