/* SPDX-License-Identifier: Apache-2.0
 *
 * The container's side of its network.
 */
#ifndef ZL_SHIM_NETWORK_H
#define ZL_SHIM_NETWORK_H

#include "engine/child.h"
#include "shim/process/process.h"

/* In the shim: the pair between the bridge and the new process's namespace (bridge mode). */
int network_join(struct process_shim *shim, const struct zl_child *init, struct zl_error *err);
/* In the container: loopback, and in bridge mode address and route. */
int network_configure(struct process_shim *shim, int proc_fd, struct zl_error *err);
/* Bytes as the container counts them; 0 without a link of its own. */
int network_stats(const struct process_shim *shim, uint64_t *ret_rx, uint64_t *ret_tx,
                  struct zl_error *err);
/* Takes the link down. The pair goes with the namespace. */
int network_leave(struct process_shim *shim, struct zl_error *err);

#endif
