/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/stream.h"

#include <string.h>

enum {
  KEEP = 256 << 10 /* memory that an empty buffer may hold on to */
};

static size_t smaller(size_t a, size_t b)
{
  return a < b ? a : b;
}

static void drop_content(struct zl_buf *buf)
{
  if (buf->cap > KEEP)
    zl_buf_done(buf);
  else
    zl_buf_clear(buf);
}

void zl_frame_reader_init(struct zl_frame_reader *reader, uint32_t max)
{
  *reader = (struct zl_frame_reader){ .max = max, .body = ZL_BUF_INIT(max - ZL_FRAME_HEADER) };
}

void zl_frame_reader_done(struct zl_frame_reader *reader)
{
  zl_buf_done(&reader->body);
}

static void advance(const uint8_t **data, size_t *len, size_t n)
{
  if (n > 0)
    *data += n;
  *len -= n;
}

static int take_header(struct zl_frame_reader *reader, const uint8_t **data, size_t *len,
                       struct zl_error *err)
{
  size_t n = smaller(ZL_FRAME_HEADER - reader->have, *len);

  if (n == 0)
    return 0;
  memcpy(reader->header + reader->have, *data, n);
  reader->have += n;
  advance(data, len, n);
  if (reader->have < ZL_FRAME_HEADER)
    return 0;
  return zl_frame_decode(reader->header, reader->max, &reader->frame, err);
}

int zl_frame_reader_take(struct zl_frame_reader *reader, const uint8_t **data, size_t *len,
                         bool *ret_done, struct zl_error *err)
{
  size_t need, n;
  int r = take_header(reader, data, len, err);

  if (r < 0)
    return r;
  *ret_done = false;
  if (reader->have < ZL_FRAME_HEADER)
    return 0;
  need = reader->frame.size - ZL_FRAME_HEADER;
  if (reader->body.len == 0 && *len >= need) {
    reader->payload = (const char *)*data; /* in one piece: nothing is copied */
    n = need;
  } else {
    n = smaller(need - reader->body.len, *len);
    r = zl_buf_append(&reader->body, *data, n, err);
    if (r < 0)
      return r;
    if (reader->body.len < need) {
      advance(data, len, n);
      return 0;
    }
    reader->payload = reader->body.data;
  }
  advance(data, len, n);
  reader->payload_len = need;
  *ret_done = true;
  return 0;
}

void zl_frame_reader_next(struct zl_frame_reader *reader)
{
  reader->have = 0;
  drop_content(&reader->body);
}

void zl_queue_init(struct zl_queue *queue, size_t max)
{
  *queue = (struct zl_queue){ .buf = ZL_BUF_INIT(max) };
}

void zl_queue_done(struct zl_queue *queue)
{
  zl_buf_done(&queue->buf);
  queue->at = 0;
}

const void *zl_queue_pending(const struct zl_queue *queue, size_t *ret_len)
{
  *ret_len = zl_queue_len(queue);
  return *ret_len > 0 ? queue->buf.data + queue->at : NULL;
}

void zl_queue_sent(struct zl_queue *queue, size_t len)
{
  queue->at += smaller(len, zl_queue_len(queue));
  if (queue->at < queue->buf.len)
    return;
  queue->at = 0;
  drop_content(&queue->buf);
}

size_t zl_queue_len(const struct zl_queue *queue)
{
  return queue->buf.len - queue->at;
}

/* What was sent is moved away when that is half of it, so that no byte is moved often. */
int zl_queue_reserve(struct zl_queue *queue, size_t len, struct zl_error *err)
{
  if (2 * queue->at >= queue->buf.len || queue->buf.len + len > queue->buf.max) {
    zl_buf_consume(&queue->buf, queue->at);
    queue->at = 0;
  }
  return zl_buf_reserve(&queue->buf, len, err);
}

int zl_queue_frame(struct zl_queue *queue, struct zl_frame *frame, const void *payload, size_t len,
                   struct zl_error *err)
{
  uint8_t header[ZL_FRAME_HEADER];
  int r;

  frame->size = (uint32_t)(ZL_FRAME_HEADER + len);
  zl_frame_encode(frame, header);
  r = zl_queue_reserve(queue, ZL_FRAME_HEADER + len, err);
  if (r < 0)
    return r;
  r = zl_buf_append(&queue->buf, header, ZL_FRAME_HEADER, err);
  return r < 0 ? r : zl_buf_append(&queue->buf, payload, len, err);
}
