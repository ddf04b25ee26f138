/* SPDX-License-Identifier: Apache-2.0
 *
 * Links of this root that belong to nobody. For recovery.
 */
#ifndef ZL_NET_ORPHANS_H
#define ZL_NET_ORPHANS_H

#include "net/linux/link.h"
#include "net/net.h"

/* Calls fn for each link of this root on the host that no lease names. One that is down has
 * probably been torn down and goes with its namespace in a moment; one that is up belongs to a
 * container that the database does not know. zl_link_remove removes either. */
int zl_net_list_orphans(struct zl_net *net, zl_link_fn fn, void *ctx, struct zl_error *err);

#endif
