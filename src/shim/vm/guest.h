/* SPDX-License-Identifier: Apache-2.0
 *
 * The connection to the guest: bridge and streams (docs/bridge.md) in the shim's event loop.
 */
#ifndef ZL_SHIM_VM_GUEST_H
#define ZL_SHIM_VM_GUEST_H

#include "bridge/client.h"
#include "bridge/link.h"
#include "bridge/mux.h"
#include "bridge/rpc.h"
#include "shim/loop.h"
#include "shim/vm/patience.h"

struct guest {
  struct loop *loop;
  struct zl_bridge_client *client; /* NULL: not connected */
  struct zl_mux *mux;
  struct zl_link bridge_link, stdio_link;
  struct source bridge_source, stdio_source, timer_source;
  int bridge_fd, stdio_fd, timer_fd; /* owned; -1: closed */
  uint64_t timer_at;
  uint32_t next_port;
  bool broken; /* nothing can be said to the guest any more, nor is it believed */
  struct zl_error why;
  /* Once, from the loop: the guest is broken. NULL: nobody wants to know (yet). */
  void (*failed)(struct guest *guest);
  void (*exited)(struct guest *guest); /* notification: the container's first process has ended */
};

#define GUEST_INIT                                                                          \
  {                                                                                         \
    .bridge_source = SOURCE_INIT, .stdio_source = SOURCE_INIT, .timer_source = SOURCE_INIT, \
    .bridge_fd = -1, .stdio_fd = -1, .timer_fd = -1, .next_port = ZL_MUX_FIRST_PORT         \
  }

/* Takes both sockets over. `streams` are the hooks of the streams, with their own context. */
int guest_open(struct guest *guest, struct loop *loop, int bridge_fd, int stdio_fd,
               const struct zl_mux_hooks *streams, struct zl_error *err);
/* Idempotent. Calls under way end with ZL_E_CANCELLED. */
void guest_close(struct guest *guest);

/* Whether anything can be asked of the guest; otherwise *err says why not. */
int guest_check(const struct guest *guest, struct zl_error *err);
/* As above; also in a callback that tells of this very end. */
bool guest_is_broken(const struct guest *guest);
/* Sends what was queued by direct use of client and mux. */
void guest_flush(struct guest *guest);

/* For a call whose answer `fn` gets from the loop. */
struct zl_rpc_then guest_then(zl_bridge_reply_fn fn, void *ctx, struct patience patience);

/* Several calls at once, and the wait for all of them: turns the loop meanwhile. The first failure
 * is the result. Each call is made so:
 *   guest_batch_made(&batch, zl_rpc_negotiate(client, guest_batch_next(&batch), &batch.err)); */
struct guest_batch {
  struct guest *guest;
  struct zl_rpc_then then;
  unsigned owed;
  struct zl_error err, first; /* of the call being made; first.code 0: none failed */
};
void guest_batch_begin(struct guest_batch *batch, struct guest *guest, struct patience patience);
const struct zl_rpc_then *guest_batch_next(struct guest_batch *batch);
void guest_batch_made(struct guest_batch *batch, int r);
int guest_batch_wait(struct guest_batch *batch, struct zl_error *err);

#endif
