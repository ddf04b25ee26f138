/* SPDX-License-Identifier: Apache-2.0
 *
 * The first conversation with a Windows guest, which does not survive another order of it:
 * negotiation, its own container (with a time zone) and the start of that as far as its
 * capabilities ask for them, then the addresses of the host's sockets.
 */
#ifndef ZL_BRIDGE_COLD_START_H
#define ZL_BRIDGE_COLD_START_H

#include "bridge/conn.h"
#include "bridge/rpc_windows.h"

struct zl_cold_start {
  const char *runtime_id;              /* of the machine: its address on the host's sockets */
  const struct zl_rpc_time_zone *zone; /* NULL: UTC */
  uint64_t deadline_ns;                /* CLOCK_BOOTTIME, for all of it */
};

/* Errors begin with the step: "negotiation: …". ZL_E_UNSUPPORTED: another version, or the guest is
 * no Windows. */
int zl_bridge_cold_start(struct zl_conn *conn, const struct zl_cold_start *how,
                         struct zl_rpc_capabilities *ret, struct zl_error *err);

#endif
