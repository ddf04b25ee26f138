/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames of the guest bridge (docs/bridge.md): the header, the numbers of messages, the limits.
 */
#ifndef ZL_BRIDGE_FRAME_H
#define ZL_BRIDGE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

enum {
  ZL_FRAME_HEADER = 16,
  ZL_BRIDGE_MAX_TO_HOST = 64 << 10,                /* what hcsshim accepts, too */
  ZL_BRIDGE_MAX_TO_GUEST = (4 << 20) + (64 << 10), /* a bundle (ZL_MAX_BUNDLE) and its envelope */
  ZL_BRIDGE_MAX_CALLS = 256, /* under way at once: exec sessions and their waits, with room */
  ZL_BRIDGE_MAX_REQUESTS = 2 * ZL_BRIDGE_MAX_TO_GUEST, /* waiting to be sent: a bundle and more */
  /* waiting to be sent: the longest answer to each call */
  ZL_BRIDGE_MAX_ANSWERS = ZL_BRIDGE_MAX_CALLS * ZL_BRIDGE_MAX_TO_HOST
};

/* Kinds of a type, its upper four bits. */
enum {
  ZL_FRAME_REQUEST = 0x10000000,
  ZL_FRAME_RESPONSE = 0x20000000,
  ZL_FRAME_NOTIFICATION = 0x30000000,
  ZL_FRAME_KIND = 0x70000000
};

/* Requests; the response has ZL_FRAME_RESPONSE in place of ZL_FRAME_REQUEST. */
enum zl_bridge_message {
  ZL_BRIDGE_CREATE = 0x10100101,
  ZL_BRIDGE_START = 0x10100201,
  ZL_BRIDGE_SHUTDOWN_GRACEFUL = 0x10100301,
  ZL_BRIDGE_SHUTDOWN_FORCED = 0x10100401,
  ZL_BRIDGE_EXECUTE_PROCESS = 0x10100501,
  ZL_BRIDGE_WAIT_FOR_PROCESS = 0x10100601,
  ZL_BRIDGE_SIGNAL_PROCESS = 0x10100701,
  ZL_BRIDGE_RESIZE_CONSOLE = 0x10100801,
  ZL_BRIDGE_GET_PROPERTIES = 0x10100901,
  ZL_BRIDGE_MODIFY_SETTINGS = 0x10100a01,
  ZL_BRIDGE_NEGOTIATE = 0x10100b01,
  ZL_BRIDGE_DUMP_STACKS = 0x10100c01,
  ZL_BRIDGE_DELETE_CONTAINER_STATE = 0x10100d01,
  ZL_BRIDGE_UPDATE_CONTAINER = 0x10100e01,
  ZL_BRIDGE_LIFECYCLE_NOTIFICATION = 0x10100f01,
  ZL_BRIDGE_MODIFY_SERVICE_SETTINGS = 0x10200101
};

#define ZL_BRIDGE_NOTIFY_CONTAINER 0x30100101u

#define ZL_BRIDGE_NULL_GUID "00000000-0000-0000-0000-000000000000" /* the machine itself */

struct zl_frame {
  uint32_t type, size; /* size: with the header */
  uint64_t id;
};

void zl_frame_encode(const struct zl_frame *frame, uint8_t header[ZL_FRAME_HEADER]);
/* ZL_E_LIMIT: size is below the header's or above `max`. */
int zl_frame_decode(const uint8_t header[ZL_FRAME_HEADER], uint32_t max, struct zl_frame *ret,
                    struct zl_error *err);

/* "ExecuteProcess"; "unknown message". Static. Takes a request's or a response's type. */
const char *zl_bridge_message_name(uint32_t type);
/* One of enum zl_bridge_message. */
bool zl_bridge_is_request(uint32_t type);

/* HRESULTs, as docs/bridge.md lists them. */
enum zl_code zl_bridge_code_of(int32_t hresult); /* ZL_OK for one that is not negative */
int32_t zl_bridge_hresult_of(enum zl_code code);

/* Those that have no code of their own: as os_error of an error that a server is to refuse with. */
#define ZL_HRESULT_NOT_IMPLEMENTED ((int32_t)0x80004001)
#define ZL_HRESULT_UNKNOWN_MESSAGE ((int32_t)0xc037010b)
#define ZL_HRESULT_UNKNOWN_VERSION ((int32_t)0xc037010c)
#define ZL_HRESULT_INVALID_JSON    ((int32_t)0xc037010d)
#define ZL_HRESULT_NO_CONTAINER    ((int32_t)0xc037010e)
#define ZL_HRESULT_EXISTS          ((int32_t)0xc037010f)
#define ZL_HRESULT_HAS_ENDED       ((int32_t)0xc0370110)

#endif
