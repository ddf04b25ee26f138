/* SPDX-License-Identifier: Apache-2.0
 *
 * Hyper-V sockets: byte streams between a host and a machine. The guest dials, so the host listens
 * first, on the pair of the machine's runtime id and a service's GUID.
 */
#ifndef ZL_BRIDGE_HVSOCKET_H
#define ZL_BRIDGE_HVSOCKET_H

#include "bridge/conn.h"
#include "bridge/hv_api.h"

#define ZL_HV_BRIDGE                                                          \
  "acef5661-84a1-4e44-856b-6245e69f4620" /* where a Windows guest dials first \
                                          */

struct zl_hv_listener; /* opaque */

/* Told once, from a thread of its own: that somebody has dialled, or (r negative) that nobody will.
 * After zl_hv_close it is not told. */
typedef void (*zl_hv_arrived_fn)(void *ctx, int r);

/* Listens, and accepts one connection in a thread. Afterwards it listens no more. */
int zl_hv_listen(const struct zl_hv_api *api, const struct zl_guid *machine, const char *service,
                 zl_hv_arrived_fn arrived, void *ctx, struct zl_hv_listener **ret,
                 struct zl_error *err);
/* The connection, once it was told of; the listener is closed and freed in any case. */
int zl_hv_take(struct zl_hv_listener *listener, struct zl_byte_stream *ret, struct zl_error *err);
/* Ends a wait that goes on, too: by shutdown before close, without which accept may stay blocked
 * for ever. NULL is fine. */
void zl_hv_close(struct zl_hv_listener *listener);

#endif
