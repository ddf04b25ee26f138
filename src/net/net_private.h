/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the room: what the parts of zl_net share.
 */
#ifndef ZL_NET_NET_PRIVATE_H
#define ZL_NET_NET_PRIVATE_H

#include "base/time.h"
#include "net/net.h"

struct zl_net {
  int root_fd;
  struct zl_store *store;
  struct zl_slice slice;
  char bridge[ZL_LEASE_LINK];
  char link_prefix[ZL_LEASE_LINK];
  char table[24];
  char boot_id[ZL_BOOT_ID_TEXT];
};

/* The network lock; *ret_fd holds it until closed. */
int zl__net_lock(struct zl_net *net, int *ret_fd, struct zl_error *err);
/* 1: the host has such a link, which may be that of a container that has just ended; 0: none. */
int zl__net_has_link(const char *name, struct zl_error *err);
/* A zl_row_fn: *ctx, a bool, becomes true. */
int zl__net_note_any(void *ctx, const struct zl_row *row, struct zl_error *err);
/* Binds the port for a moment: *ret_port is the one that it was, or that the kernel chose.
 * ZL_E_CONFLICT: a program of this host has it. */
int zl__port_test(const struct zl_net_port *port, uint16_t *ret_port, struct zl_error *err);

#endif
