/* SPDX-License-Identifier: Apache-2.0
 *
 * Streams of processes over one byte stream (docs/bridge.md, "Streams"). The same object serves
 * both ends. No I/O, as client.h. Not thread-safe.
 *
 * Memory is bounded: at most ZL_MUX_MAX_STREAMS streams, each with at most one window of bytes
 * queued to be sent; received bytes are not kept at all.
 */
#ifndef ZL_BRIDGE_MUX_H
#define ZL_BRIDGE_MUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/cleanup.h"

enum {
  ZL_MUX_MAX_STREAMS = 256,
  ZL_MUX_WINDOW = 64 << 10, /* what a pipe holds */
  ZL_MUX_CHUNK = 16 << 10   /* bytes of one DATA frame */
};

#define ZL_MUX_FIRST_PORT 0x40000001u

struct zl_mux; /* opaque */

/* Callbacks run inside feed; they may call everything but feed and free. Each may be NULL. */
struct zl_mux_hooks {
  void *ctx;
  /* The guest has connected a port that was listened on. */
  void (*opened)(void *ctx, uint32_t port);
  /* Bytes have come. They are the receiver's: for each of them zl_mux_consumed has to be called
   * sooner or later, else the sender stalls. */
  void (*data)(void *ctx, uint32_t port, const void *data, size_t len);
  void (*eof)(void *ctx, uint32_t port);
  /* The peer has granted more: zl_mux_room is larger than before. */
  void (*writable)(void *ctx, uint32_t port);
  /* The stream is gone before both sides were at their end. */
  void (*reset)(void *ctx, uint32_t port);
};

enum zl_mux_side {
  ZL_MUX_HOST,
  ZL_MUX_GUEST
};

int zl_mux_new(enum zl_mux_side side, const struct zl_mux_hooks *hooks, struct zl_mux **ret,
               struct zl_error *err);
void zl_mux_free(struct zl_mux *mux); /* NULL is fine; no callback */
ZL_DEFINE_CLEANUP(struct zl_mux, zl_mux_free)

/* Negative: the peer broke the protocol; nothing more is understood (again on every later call). */
int zl_mux_feed(struct zl_mux *mux, const void *data, size_t len, struct zl_error *err);
const void *zl_mux_pending(const struct zl_mux *mux, size_t *ret_len);
void zl_mux_sent(struct zl_mux *mux, size_t len);

/* Host: accepts one OPEN of the port. ZL_E_LIMIT: too many streams. ZL_E_CONFLICT: used before.
 * Ports are to be given out upwards: those 4096 below the highest count as used. */
int zl_mux_listen(struct zl_mux *mux, uint32_t port, struct zl_error *err);
/* Guest: connects a port. Also ZL_E_CONFLICT: the host listens there no more. */
int zl_mux_open(struct zl_mux *mux, uint32_t port, struct zl_error *err);

/* How many bytes may be written now: what the peer has granted. 0 for a stream that is not open. */
size_t zl_mux_room(const struct zl_mux *mux, uint32_t port);
/* Queues `len` bytes, at most zl_mux_room (ZL_E_LIMIT beyond). ZL_E_NOT_FOUND: not open. */
int zl_mux_write(struct zl_mux *mux, uint32_t port, const void *data, size_t len,
                 struct zl_error *err);
/* No more will be written. Idempotent; no-op for a stream that is over. */
void zl_mux_shutdown(struct zl_mux *mux, uint32_t port);
/* `len` bytes that `data` gave have been dealt with: grants as many more. */
void zl_mux_consumed(struct zl_mux *mux, uint32_t port, size_t len);
/* Drops a stream or stops listening. Idempotent. */
void zl_mux_reset(struct zl_mux *mux, uint32_t port);

#endif
