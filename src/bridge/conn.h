/* SPDX-License-Identifier: Apache-2.0
 *
 * The host's end of a bridge over a blocking byte stream: a thread reads, callers wait for their
 * answers. Thread-safe. For event loops there is link.h instead.
 */
#ifndef ZL_BRIDGE_CONN_H
#define ZL_BRIDGE_CONN_H

#include "bridge/rpc.h"

/* A connected byte stream. Reading and writing may go on side by side, in one thread each. */
struct zl_byte_stream {
  void *ctx;
  /* Blocks for at least a byte; 0: the other end has finished; negative: ZL_E_REMOTE. */
  int (*read)(void *ctx, void *data, size_t len, struct zl_error *err);
  /* All of it. */
  int (*write)(void *ctx, const void *data, size_t len, struct zl_error *err);
  void (*finish)(void *ctx); /* no more is written; the other end reads the end */
  void (*stop)(void *ctx);   /* ends a read and a write that block, now and later */
  void (*close)(void *ctx);  /* frees; nobody uses it any more */
};

struct zl_conn; /* opaque */

/* Takes the stream over, also on failure. `hooks` as a client's: they are called in the thread that
 * reads, and must not call this room. */
int zl_conn_new(const struct zl_byte_stream *stream, const struct zl_bridge_hooks *hooks,
                struct zl_conn **ret, struct zl_error *err);
/* Ends the bridge, whose callers get ZL_E_CANCELLED, and the stream. NULL is fine. */
void zl_conn_free(struct zl_conn *conn);
ZL_DEFINE_CLEANUP(struct zl_conn, zl_conn_free)

/* Makes one call on the client: one function of rpc.h or rpc_windows.h with `then`. */
typedef int (*zl_conn_make_fn)(void *ctx, struct zl_bridge_client *client,
                               const struct zl_rpc_then *then, struct zl_error *err);
/* Makes it and waits for the answer, at the latest until the CLOCK_BOOTTIME deadline (ZL_E_TIMEOUT;
 * UINT64_MAX: none). `ret` gets the whole answer, for the caller to release; may be NULL. */
int zl_conn_call(struct zl_conn *conn, zl_conn_make_fn make, void *ctx, uint64_t deadline_ns,
                 json_t **ret, struct zl_error *err);

/* Ends the bridge for a reason of the owner's, which its callers are told. Idempotent. */
void zl_conn_end(struct zl_conn *conn, const struct zl_error *why);
bool zl_conn_is_broken(struct zl_conn *conn);

#endif
