/* SPDX-License-Identifier: Apache-2.0
 *
 * A link of the host that becomes a container's, with its addresses: linux.netDevices of the OCI
 * specification. In three steps, since the addresses are lost on the way.
 */
#ifndef ZL_NET_LINUX_LINK_MOVE_H
#define ZL_NET_LINUX_LINK_MOVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "net/linux/link.h"

enum {
  ZL_LINK_ADDRESSES = 32, /* of one link that is moved; of IPv4 or IPv6 */
  ZL_LINK_IP = 16
};

struct zl_link_address {
  uint8_t family, prefix, len;
  bool has_broadcast;
  uint8_t local[ZL_LINK_IP], peer[ZL_LINK_IP], broadcast[4];
};

struct zl_link_move {
  char name[ZL_LINK_NAME], new_name[ZL_LINK_NAME];
  size_t n;
  struct zl_link_address addresses[ZL_LINK_ADDRESSES];
};

/* On the host: fills *move with what `name` has of permanent addresses of global scope. `new_name`
 * is its name in the container. ZL_E_NOT_FOUND: there is no such link. ZL_E_LIMIT: too many
 * addresses. */
int zl_link_move_begin(const char *name, const char *new_name, struct zl_link_move *move,
                       struct zl_error *err);
/* On the host: the link goes into the network namespace. ZL_E_SYSTEM, EEXIST: the new name is taken
 * there; the link may be there already under its old one. */
int zl_link_move(const struct zl_link_move *move, int netns_fd, struct zl_error *err);
/* In the container: the addresses come back, and the link is brought up. */
int zl_link_move_end(const struct zl_link_move *move, struct zl_error *err);

#endif
