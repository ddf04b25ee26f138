/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target of the bridge's guest side: the bytes are what a host sends. Whatever they are, each
 * request is answered or handed over once, answers are well-formed frames, and the outcome does not
 * depend on how the stream is cut. An input that ends in an even byte comes after a negotiation.
 */
#include <string.h>

#include "base/json.h"
#include "bridge/server.h"
#include "frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size) __attribute__((weak));

struct story {
  struct zl_bridge_server *server;
  bool hashes; /* there is another story to compare it with */
  int requests;
  uint64_t hash; /* of all that is sent */
};

static void add(struct story *story, const uint8_t *bytes, size_t len)
{
  for (size_t i = 0; story->hashes && i < len; i++)
    story->hash = (story->hash ^ bytes[i]) * UINT64_C(1099511628211);
}

/* Answers some, refuses others, notifies now and then. */
static void on_request(void *ctx, const struct zl_bridge_request *request)
{
  struct story *story = ctx;
  struct zl_error why = { 0 };

  require(request->container_id != NULL && json_is_object(request->body));
  require(zl_bridge_is_request(request->message) && request->message != ZL_BRIDGE_NEGOTIATE);
  story->requests++;
  if (request->message == ZL_BRIDGE_SHUTDOWN_FORCED)
    (void)zl_bridge_notify(story->server, request->container_id, "ForcedExit", NULL);
  if (request->id % 2 == 0) {
    require(zl_bridge_answer(story->server, request->message, request->id,
                             json_incref(request->body), NULL) == 0);
    return;
  }
  (void)zl_fail(&why, ZL_E_NOT_FOUND, 0, "no '%s'", request->container_id);
  require(zl_bridge_refuse(story->server, request->message, request->id, &why, NULL) == 0);
}

/* What is to be sent is whole frames within the host's bounds. */
static void drain(struct story *story)
{
  for (;;) {
    struct zl_frame frame;
    size_t len;
    const uint8_t *data = zl_bridge_server_pending(story->server, &len);

    if (len == 0)
      return;
    require(len >= ZL_FRAME_HEADER);
    require(zl_frame_decode(data, ZL_BRIDGE_MAX_TO_HOST, &frame, NULL) == 0 && frame.size <= len);
    require(data[ZL_FRAME_HEADER] == '{' && data[frame.size - 1] == '}');
    require(frame.type == ZL_BRIDGE_NOTIFY_CONTAINER || frame.type >> 28 == 2);
    add(story, data, frame.size);
    zl_bridge_server_sent(story->server, frame.size);
  }
}

static void negotiate(struct story *story)
{
  static const char text[] = "{\"MinimumVersion\":4,\"MaximumVersion\":4}";
  struct zl_frame frame = { ZL_BRIDGE_NEGOTIATE, ZL_FRAME_HEADER + sizeof(text) - 1, 1 };
  uint8_t header[ZL_FRAME_HEADER];

  zl_frame_encode(&frame, header);
  require(zl_bridge_server_feed(story->server, header, sizeof(header), NULL) == 0);
  require(zl_bridge_server_feed(story->server, text, sizeof(text) - 1, NULL) == 0);
}

static int tell(struct story *story, const uint8_t *data, size_t size, size_t step)
{
  struct zl_error err = { 0 };
  int r = 0;

  require(zl_bridge_server_new(on_request, story, json_object(), &story->server, NULL) == 0);
  if (size > 0 && data[size - 1] % 2 == 0)
    negotiate(story);
  for (size_t at = 0; at < size && r == 0; at += step) {
    r = zl_bridge_server_feed(story->server, data + at, size - at < step ? size - at : step, &err);
    drain(story);
  }
  require(r == 0 || (r == -ZL_E_REMOTE && err.code == ZL_E_REMOTE && err.msg[0] != '\0'));
  require(r == 0 || zl_bridge_server_feed(story->server, "x", 1, NULL) == r);
  zl_bridge_server_free(story->server);
  return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  bool twice = size % 16 == 0; /* it is slow: only some */
  struct story whole = { .hashes = twice, .hash = 1 }, cut = whole;
  size_t step = 1 + (size > 0 ? data[size / 2] % 64u : 0);
  int r = tell(&whole, data, size, size + 1);

  if (!twice)
    return 0;
  require(tell(&cut, data, size, step) == r);
  require(whole.requests == cut.requests && whole.hash == cut.hash);
  return 0;
}

static bool is_start(const uint8_t *header)
{
  return header[0] == 1 && header[3] == 0x10 && (header[2] == 0x10 || header[2] == 0x20);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
  size = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 8 != 0)
    seal_frames(data, size, 0, is_start);
  return size;
}
