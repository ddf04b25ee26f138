/* SPDX-License-Identifier: Apache-2.0
 *
 * The guest's end of the guest bridge (docs/bridge.md): takes requests apart and frames answers. No
 * I/O, as client.h. Not thread-safe.
 */
#ifndef ZL_BRIDGE_SERVER_H
#define ZL_BRIDGE_SERVER_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/cleanup.h"
#include "bridge/frame.h"

struct zl_bridge_server; /* opaque */

struct zl_bridge_request {
  enum zl_bridge_message message;
  uint64_t id;
  const char *container_id; /* never NULL; "" or the null GUID: the machine */
  json_t *body;             /* the whole request, borrowed for the callback */
};

/* Each request is to be answered once, now or later, by zl_bridge_answer or zl_bridge_refuse. */
typedef void (*zl_bridge_request_fn)(void *ctx, const struct zl_bridge_request *request);

/* Until a NegotiateProtocol that agrees on version 4 has come, which the server answers itself with
 * `capabilities` (taken over; an object), every other request is refused (0x80004001). A second
 * negotiation is answered like the first: a clone of a machine is negotiated with anew. */
int zl_bridge_server_new(zl_bridge_request_fn fn, void *ctx, json_t *capabilities,
                         struct zl_bridge_server **ret, struct zl_error *err);
void zl_bridge_server_free(struct zl_bridge_server *server); /* NULL is fine */
ZL_DEFINE_CLEANUP(struct zl_bridge_server, zl_bridge_server_free)

/* Bytes from the host. A request that is no JSON or has an unknown type is refused and the bridge
 * goes on; negative: the stream cannot be understood any more. */
int zl_bridge_server_feed(struct zl_bridge_server *server, const void *data, size_t len,
                          struct zl_error *err);

const void *zl_bridge_server_pending(const struct zl_bridge_server *server, size_t *ret_len);
void zl_bridge_server_sent(struct zl_bridge_server *server, size_t len);

/* Success, with further members (an object, released; NULL: none). An answer over the host's limit
 * becomes a refusal. */
int zl_bridge_answer(struct zl_bridge_server *server, enum zl_bridge_message message, uint64_t id,
                     json_t *body, struct zl_error *err);
/* The result is why->os_error where that is negative (an HRESULT), else the one of why->code. */
int zl_bridge_refuse(struct zl_bridge_server *server, enum zl_bridge_message message, uint64_t id,
                     const struct zl_error *why, struct zl_error *err);
/* Type as in docs/bridge.md: "UnexpectedExit", "GracefulExit", "ForcedExit". */
int zl_bridge_notify(struct zl_bridge_server *server, const char *container_id, const char *type,
                     struct zl_error *err);

#endif
