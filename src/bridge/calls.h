/* SPDX-License-Identifier: Apache-2.0
 *
 * The calls of a client that are under way. Only for client.c.
 */
#ifndef ZL_BRIDGE_CALLS_H
#define ZL_BRIDGE_CALLS_H

#include "bridge/client.h"

struct zl_pending_call {
  uint64_t id, deadline_ns;
  enum zl_bridge_message message;
  zl_bridge_reply_fn fn; /* NULL: nobody waits; the answer is dropped */
  void *ctx;
  char *container; /* of a Create only, owned */
};

struct zl_calls {
  struct zl_pending_call slots[ZL_BRIDGE_MAX_CALLS];
  size_t count;
  uint64_t next_id;
};

/* Takes the call over and gives it an id. ZL_E_LIMIT: too many. */
int zl_calls_add(struct zl_calls *calls, const struct zl_pending_call *call, struct zl_error *err);
/* NULL: no such call. Valid until the next add or take. */
struct zl_pending_call *zl_calls_find(struct zl_calls *calls, uint64_t id);
/* Removes it; the caller now owns what it holds. */
struct zl_pending_call zl_calls_take(struct zl_calls *calls, struct zl_pending_call *call);
/* One whose time is over and whose id is below `limit`, or NULL. */
struct zl_pending_call *zl_calls_expired(struct zl_calls *calls, uint64_t now_ns, uint64_t limit);
uint64_t zl_calls_deadline(const struct zl_calls *calls);
/* A Create of this container is under way. */
bool zl_calls_creates(const struct zl_calls *calls, const char *container);

#endif
