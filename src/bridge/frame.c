/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/frame.h"

#include "base/cleanup.h"

static const struct {
  enum zl_bridge_message message;
  const char *name;
} messages[] = {
  { ZL_BRIDGE_CREATE, "Create" },
  { ZL_BRIDGE_START, "Start" },
  { ZL_BRIDGE_SHUTDOWN_GRACEFUL, "ShutdownGraceful" },
  { ZL_BRIDGE_SHUTDOWN_FORCED, "ShutdownForced" },
  { ZL_BRIDGE_EXECUTE_PROCESS, "ExecuteProcess" },
  { ZL_BRIDGE_WAIT_FOR_PROCESS, "WaitForProcess" },
  { ZL_BRIDGE_SIGNAL_PROCESS, "SignalProcess" },
  { ZL_BRIDGE_RESIZE_CONSOLE, "ResizeConsole" },
  { ZL_BRIDGE_GET_PROPERTIES, "GetProperties" },
  { ZL_BRIDGE_MODIFY_SETTINGS, "ModifySettings" },
  { ZL_BRIDGE_NEGOTIATE, "NegotiateProtocol" },
  { ZL_BRIDGE_DUMP_STACKS, "DumpStacks" },
  { ZL_BRIDGE_DELETE_CONTAINER_STATE, "DeleteContainerState" },
  { ZL_BRIDGE_UPDATE_CONTAINER, "UpdateContainer" },
  { ZL_BRIDGE_LIFECYCLE_NOTIFICATION, "LifecycleNotification" },
  { ZL_BRIDGE_MODIFY_SERVICE_SETTINGS, "ModifyServiceSettings" },
};

/* What one code becomes comes first, other results that mean the same follow. */
static const struct {
  uint32_t hresult;
  enum zl_code code;
} results[] = {
  { 0x80070002, ZL_E_NO_COMMAND },  { 0x800700c1, ZL_E_NOT_EXECUTABLE },
  { 0x80070490, ZL_E_NOT_FOUND },   { 0xc037010e, ZL_E_NOT_FOUND },
  { 0xc0370105, ZL_E_CONFLICT },    { 0xc037010f, ZL_E_CONFLICT },
  { 0xc0370110, ZL_E_CONFLICT },    { 0x80070057, ZL_E_INVALID },
  { 0xc037010d, ZL_E_INVALID },     { 0x80070032, ZL_E_UNSUPPORTED },
  { 0xc037010b, ZL_E_UNSUPPORTED }, { 0xc037010c, ZL_E_UNSUPPORTED },
  { 0x80004001, ZL_E_UNSUPPORTED }, { 0xc0370109, ZL_E_TIMEOUT },
  { 0x8007000e, ZL_E_NO_MEMORY },   { 0x80070718, ZL_E_LIMIT },
};

#define HRESULT_FAIL 0x80004005u

static void put(uint8_t *bytes, size_t n, uint64_t value)
{
  for (size_t i = 0; i < n; i++)
    bytes[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get(const uint8_t *bytes, size_t n)
{
  uint64_t value = 0;

  for (size_t i = n; i > 0; i--)
    value = value << 8 | bytes[i - 1];
  return value;
}

void zl_frame_encode(const struct zl_frame *frame, uint8_t header[ZL_FRAME_HEADER])
{
  put(header, 4, frame->type);
  put(header + 4, 4, frame->size);
  put(header + 8, 8, frame->id);
}

int zl_frame_decode(const uint8_t header[ZL_FRAME_HEADER], uint32_t max, struct zl_frame *ret,
                    struct zl_error *err)
{
  uint32_t size = (uint32_t)get(header + 4, 4);

  if (size < ZL_FRAME_HEADER || size > max)
    return zl_fail(err, ZL_E_LIMIT, 0, "a frame of %u bytes; %d to %u are allowed", size,
                   ZL_FRAME_HEADER, max);
  ret->type = (uint32_t)get(header, 4);
  ret->size = size;
  ret->id = get(header + 8, 8);
  return 0;
}

const char *zl_bridge_message_name(uint32_t type)
{
  uint32_t kind = type & ZL_FRAME_KIND;

  if ((kind == ZL_FRAME_REQUEST || kind == ZL_FRAME_RESPONSE) && type < 0x80000000)
    for (size_t i = 0; i < ZL_COUNT(messages); i++)
      if ((uint32_t)messages[i].message == (type ^ kind ^ ZL_FRAME_REQUEST))
        return messages[i].name;
  return "unknown message";
}

bool zl_bridge_is_request(uint32_t type)
{
  for (size_t i = 0; i < ZL_COUNT(messages); i++)
    if ((uint32_t)messages[i].message == type)
      return true;
  return false;
}

enum zl_code zl_bridge_code_of(int32_t hresult)
{
  if (hresult >= 0)
    return ZL_OK;
  for (size_t i = 0; i < ZL_COUNT(results); i++)
    if (results[i].hresult == (uint32_t)hresult)
      return results[i].code;
  return ZL_E_REMOTE;
}

int32_t zl_bridge_hresult_of(enum zl_code code)
{
  if (code == ZL_OK)
    return 0;
  for (size_t i = 0; i < ZL_COUNT(results); i++)
    if (results[i].code == code)
      return (int32_t)results[i].hresult;
  return (int32_t)HRESULT_FAIL;
}
