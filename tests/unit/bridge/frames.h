/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames for the tests of the bridge: made from text and taken apart again.
 */
#ifndef ZL_TEST_BRIDGE_FRAMES_H
#define ZL_TEST_BRIDGE_FRAMES_H

#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "bridge/frame.h"

#define RESPONSE(message) ((uint32_t)(message) ^ ZL_FRAME_REQUEST ^ ZL_FRAME_RESPONSE)

/* Appends a frame whose header says `size`. */
static inline void add_frame_sized(struct zl_buf *buf, uint32_t type, uint64_t id, uint32_t size,
                                   const void *body, size_t len)
{
  struct zl_frame frame = { .type = type, .size = size, .id = id };
  uint8_t header[ZL_FRAME_HEADER];

  zl_frame_encode(&frame, header);
  assert_int_equal(zl_buf_append(buf, header, sizeof(header), NULL), 0);
  assert_int_equal(zl_buf_append(buf, body, len, NULL), 0);
}

static inline void add_frame(struct zl_buf *buf, uint32_t type, uint64_t id, const char *text)
{
  add_frame_sized(buf, type, id, (uint32_t)(ZL_FRAME_HEADER + strlen(text)), text, strlen(text));
}

/* The first frame at `data`, whose body becomes *ret_json; returns its whole size. */
static inline size_t first_frame(const void *data, size_t len, struct zl_frame *frame,
                                 json_t **ret_json)
{
  struct zl_error err = { 0 };

  assert_true(len >= ZL_FRAME_HEADER);
  assert_int_equal(zl_frame_decode(data, ZL_BRIDGE_MAX_TO_GUEST, frame, &err), 0);
  assert_true(len >= frame->size);
  assert_int_equal(zl_json_parse_upto((const char *)data + ZL_FRAME_HEADER,
                                      frame->size - ZL_FRAME_HEADER, ZL_BRIDGE_MAX_TO_GUEST,
                                      "frame", ret_json, &err),
                   0);
  return frame->size;
}

#endif
