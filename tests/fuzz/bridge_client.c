/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target of the bridge's host side: the bytes are what a guest sends while calls are under
 * way. Whatever they are, every call ends exactly once, a broken bridge stays so, nothing is read
 * or kept beyond its bounds, and the outcome does not depend on how the stream is cut.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "bridge/client.h"
#include "bridge/rpc.h"
#include "frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size) __attribute__((weak));

/* In this order, so the ids are 1 to 6; the fifth is cancelled. */
static const enum zl_bridge_message messages[] = {
  ZL_BRIDGE_NEGOTIATE,        ZL_BRIDGE_CREATE,         ZL_BRIDGE_EXECUTE_PROCESS,
  ZL_BRIDGE_WAIT_FOR_PROCESS, ZL_BRIDGE_RESIZE_CONSOLE, ZL_BRIDGE_GET_PROPERTIES,
};

enum {
  CALLS = ZL_COUNT(messages),
  CANCELLED = 4
};

struct story {
  struct zl_bridge_client *client;
  struct call {
    struct story *story;
    int times, r;
  } calls[CALLS];
  int notified, broken;
};

static void parse_reply(enum zl_bridge_message message, const json_t *reply)
{
  struct zl_rpc_capabilities capabilities;
  zl_autojson *properties = NULL;
  struct zl_rpc_exit exit_info;
  struct zl_stats stats;
  uint64_t total, available;
  uint32_t ids[4];
  size_t count;

  switch (message) {
  case ZL_BRIDGE_NEGOTIATE:
    (void)zl_rpc_parse_capabilities(reply, &capabilities, NULL);
    return;
  case ZL_BRIDGE_EXECUTE_PROCESS:
    (void)zl_rpc_parse_process_id(reply, ids, NULL);
    return;
  case ZL_BRIDGE_WAIT_FOR_PROCESS:
    (void)zl_rpc_parse_exit(reply, &exit_info, NULL);
    return;
  default:
    break;
  }
  (void)zl_rpc_stacks(reply);
  if (zl_rpc_parse_properties(reply, &properties, NULL) < 0)
    return;
  (void)zl_rpc_parse_statistics(properties, &stats, NULL);
  (void)zl_rpc_parse_memory(properties, &total, &available, NULL);
  (void)zl_rpc_parse_process_list(properties, ids, ZL_COUNT(ids), &count, NULL);
}

static void on_reply(void *ctx, int r, const json_t *reply, const struct zl_error *err)
{
  struct call *call = ctx;

  require(++call->times == 1);
  call->r = r;
  if (r == 0) {
    require(json_is_object(reply) && err == NULL);
    parse_reply(messages[call - call->story->calls], reply);
    return;
  }
  require(reply == NULL && -r == (int)err->code && err->msg[0] != '\0');
  require(strnlen(err->msg, sizeof(err->msg)) < sizeof(err->msg));
}

static void on_notified(void *ctx, const struct zl_bridge_notification *note)
{
  struct story *story = ctx;

  require(story->broken == 0 && strcmp(note->container_id, "box") == 0);
  require(note->type != NULL && note->operation != NULL);
  story->notified++;
}

static void on_broken(void *ctx, const struct zl_error *why)
{
  struct story *story = ctx;

  require(++story->broken == 1 && why->code == ZL_E_REMOTE);
  for (int i = 0; i < CALLS; i++)
    require(story->calls[i].times == 1);
}

static void begin(struct story *story)
{
  const struct zl_bridge_hooks hooks = { story, on_notified, on_broken };
  uint64_t id = 0;

  require(zl_bridge_client_new(&hooks, &story->client, NULL) == 0);
  for (int i = 0; i < CALLS; i++) {
    struct zl_bridge_call call = {
      messages[i], "box", NULL, UINT64_MAX, on_reply, &story->calls[i]
    };

    story->calls[i].story = story;
    require(zl_bridge_call(story->client, &call, &id, NULL) == 0 && id == (uint64_t)i + 1);
    if (i == CANCELLED)
      zl_bridge_cancel(story->client, id);
  }
}

static void tell(struct story *story, const uint8_t *data, size_t size, size_t step)
{
  struct zl_error err = { 0 };
  int r = 0;

  begin(story);
  for (size_t at = 0; at < size && r == 0; at += step)
    r = zl_bridge_client_feed(story->client, data + at, size - at < step ? size - at : step, &err);
  require((r < 0) == zl_bridge_client_is_broken(story->client) && (r < 0) == (story->broken == 1));
  require(r == 0 || zl_bridge_client_feed(story->client, "x", 1, NULL) == -ZL_E_REMOTE);
  zl_bridge_client_free(story->client);
  for (int i = 0; i < CALLS; i++)
    require(story->calls[i].times == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct story whole = { 0 }, cut = { 0 };
  size_t step = 1 + (size > 0 ? data[size / 2] % 64u : 0);

  tell(&whole, data, size, size + 1);
  if (size % 16 != 0) /* twice is slow: only some */
    return 0;
  tell(&cut, data, size, step);
  require(whole.broken == cut.broken && whole.notified == cut.notified);
  for (int i = 0; i < CALLS; i++)
    require(whole.calls[i].r == cut.calls[i].r);
  return 0;
}

static bool is_start(const uint8_t *header)
{
  return header[0] == 1 && header[2] == 0x10 && (header[3] == 0x20 || header[3] == 0x30);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
  size = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 8 != 0)
    seal_frames(data, size, 0, is_start);
  return size;
}
