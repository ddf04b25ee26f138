/* SPDX-License-Identifier: Apache-2.0
 *
 * The host's end of the guest bridge (docs/bridge.md). It does no I/O: the owner feeds it what came
 * and sends what it has pending; time is given as nanoseconds of CLOCK_BOOTTIME. Not thread-safe.
 *
 * Every call ends exactly once: with its answer, its timeout, its cancellation or the end of the
 * bridge. Callbacks run inside feed, tick, hangup and free; they may make and cancel calls but must
 * not feed or free the client.
 */
#ifndef ZL_BRIDGE_CLIENT_H
#define ZL_BRIDGE_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/cleanup.h"
#include "bridge/frame.h"

struct zl_bridge_client; /* opaque */

/* `r` is 0 and `reply` the whole answer (borrowed), or `r` is negative, `reply` NULL and *err says
 * why: the guest's own Result (docs/bridge.md), ZL_E_TIMEOUT, ZL_E_CANCELLED, ZL_E_REMOTE. */
typedef void (*zl_bridge_reply_fn)(void *ctx, int r, const json_t *reply,
                                   const struct zl_error *err);

struct zl_bridge_notification {
  const char *container_id, *type, *operation; /* never NULL */
  int32_t result;
};

struct zl_bridge_hooks {
  void *ctx;
  void (*notified)(void *ctx, const struct zl_bridge_notification *notification); /* may be NULL */
  /* Once: the bridge has ended, after every waiter was told. May be NULL. */
  void (*broken)(void *ctx, const struct zl_error *why);
};

/* The caller ends with zl_bridge_client_free. */
int zl_bridge_client_new(const struct zl_bridge_hooks *hooks, struct zl_bridge_client **ret,
                         struct zl_error *err);
/* Waiters get ZL_E_CANCELLED; `broken` is not called. NULL is fine. */
void zl_bridge_client_free(struct zl_bridge_client *client);
ZL_DEFINE_CLEANUP(struct zl_bridge_client, zl_bridge_client_free)

/* Bytes from the guest. Negative: the bridge has ended (again on every later call). */
int zl_bridge_client_feed(struct zl_bridge_client *client, const void *data, size_t len,
                          struct zl_error *err);
/* The guest has hung up: ends the bridge. Idempotent. */
void zl_bridge_client_hangup(struct zl_bridge_client *client);
/* Ends the bridge for a reason of the owner's: something else of the guest's is broken. Idempotent.
 */
void zl_bridge_client_end(struct zl_bridge_client *client, const struct zl_error *why);
bool zl_bridge_client_is_broken(const struct zl_bridge_client *client);

/* What is to be sent, and how much of it has been. */
const void *zl_bridge_client_pending(const struct zl_bridge_client *client, size_t *ret_len);
void zl_bridge_client_sent(struct zl_bridge_client *client, size_t len);

/* When tick has to be called at the latest; UINT64_MAX: never. */
uint64_t zl_bridge_client_deadline(const struct zl_bridge_client *client);
/* Ends calls whose time is over: one that can be cancelled fails alone and its late answer is
 * dropped; any other ends the bridge, for the guest's state is then not known. */
void zl_bridge_client_tick(struct zl_bridge_client *client, uint64_t now_ns);

struct zl_bridge_call {
  enum zl_bridge_message message;
  const char *container_id; /* NULL: the machine */
  json_t *body;             /* further members, an object; released by the call, NULL: none */
  uint64_t deadline_ns;     /* UINT64_MAX: none */
  zl_bridge_reply_fn fn;    /* NULL: the answer is not of interest */
  void *ctx;
};

/* Queues a request; *ret_id (may be NULL) names it for cancel. Whether it can be cancelled follows
 * from the message: Negotiate, GetProperties, ResizeConsole, WaitForProcess and the shutdowns can.
 * ZL_E_REMOTE: the bridge has ended (fn is not called then). ZL_E_LIMIT: too many calls or too
 * long. */
int zl_bridge_call(struct zl_bridge_client *client, const struct zl_bridge_call *call,
                   uint64_t *ret_id, struct zl_error *err);
/* fn is called with ZL_E_CANCELLED now; the answer is dropped when it comes, and until then the
 * call counts as one under way. No-op for a call that has ended or cannot be cancelled: such a one
 * loses its fn instead (it is not called any more). */
void zl_bridge_cancel(struct zl_bridge_client *client, uint64_t id);

#endif
