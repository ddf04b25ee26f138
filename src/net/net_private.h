/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the room: what the parts of zl_net share.
 */
#ifndef ZL_NET_NET_PRIVATE_H
#define ZL_NET_NET_PRIVATE_H

#include "base/time.h"
#include "net/net.h"
#include "net/rules.h"

struct zl_net {
  int root_fd;
  struct zl_store *store;
  struct zl_slice slice;
  char bridge[ZL_LINK_NAME];
  char link_prefix[ZL_LINK_NAME];
  char table[24];
  char boot_id[ZL_BOOT_ID_TEXT];
};

struct zl_rules zl__net_rules(const struct zl_net *net);
/* The network lock; *ret_fd holds it until closed. */
int zl__net_lock(struct zl_net *net, int *ret_fd, struct zl_error *err);
/* Under the lock: empties the port maps if `clear`, then fills them from the database. */
int zl__ports_restore(struct zl_net *net, bool clear, struct zl_error *err);

#endif
