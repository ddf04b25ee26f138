/* SPDX-License-Identifier: Apache-2.0
 *
 * What both ends of the bridge and of the streams have in common: taking frames out of a byte
 * stream however it is cut, and keeping bytes until they are sent. Only for this room.
 */
#ifndef ZL_BRIDGE_STREAM_H
#define ZL_BRIDGE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/buf.h"
#include "bridge/frame.h"

struct zl_frame_reader {
  uint32_t max; /* of a frame, with its header */
  size_t have;  /* bytes of the header */
  uint8_t header[ZL_FRAME_HEADER];
  struct zl_frame frame; /* valid with a whole header */
  struct zl_buf body;    /* used only when a body comes in pieces */
  const char *payload;   /* the complete frame's; borrowed until _next */
  size_t payload_len;
};

void zl_frame_reader_init(struct zl_frame_reader *reader, uint32_t max);
void zl_frame_reader_done(struct zl_frame_reader *reader);
/* Takes bytes from the front of *data, at most to the end of one frame; *ret_done: it is complete,
 * and the caller goes on with zl_frame_reader_next. ZL_E_LIMIT: its size is out of bounds. */
int zl_frame_reader_take(struct zl_frame_reader *reader, const uint8_t **data, size_t *len,
                         bool *ret_done, struct zl_error *err);
void zl_frame_reader_next(struct zl_frame_reader *reader);

struct zl_queue {
  struct zl_buf buf;
  size_t at; /* so much of it has been sent */
};

void zl_queue_init(struct zl_queue *queue, size_t max);
void zl_queue_done(struct zl_queue *queue);
const void *zl_queue_pending(const struct zl_queue *queue, size_t *ret_len);
void zl_queue_sent(struct zl_queue *queue, size_t len);
size_t zl_queue_len(const struct zl_queue *queue);
/* Makes room for `len` more bytes, headers included: frames that fit in it cannot fail. */
int zl_queue_reserve(struct zl_queue *queue, size_t len, struct zl_error *err);
/* A whole frame or none of it; frame->size is set here. ZL_E_LIMIT, ZL_E_NO_MEMORY. */
int zl_queue_frame(struct zl_queue *queue, struct zl_frame *frame, const void *payload, size_t len,
                   struct zl_error *err);

#endif
