/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the room: what the kernel's half of zl_net shares.
 */
#ifndef ZL_NET_OVERLAY_H
#define ZL_NET_OVERLAY_H

#include "net/net_private.h"
#include "net/rules.h"

struct zl_rules zl__net_rules(const struct zl_net *net);
/* Under the lock: empties the port maps if `clear`, then fills them from the database. */
int zl__ports_restore(struct zl_net *net, bool clear, struct zl_error *err);

#endif
