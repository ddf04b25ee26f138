/* SPDX-License-Identifier: Apache-2.0
 *
 * What making a pair (link.c) and making a tap (link_tap.c) have in common. The `ask` functions
 * append a request to the message under construction.
 */
#ifndef ZL_NET_LINUX_LINK_PRIVATE_H
#define ZL_NET_LINUX_LINK_PRIVATE_H

#include "net/linux/link.h"
#include "net/linux/netlink.h"

/* ZL_E_INVALID: too long or empty. */
int zl__link_check_name(const char *name, struct zl_error *err);
/* Hands out a failure with the link's name in front. */
int zl__link_explain(struct zl_error *err, const struct zl_error *own, const char *name);
/* The index of a link, or -errno. Any socket will do. */
int zl__link_index(int sock, const char *name);

void zl__link_ask_flags(struct zl_nl *nl, int index, unsigned flags, const char *what);
void zl__link_ask_no_ipv6(struct zl_nl *nl, int index);
/* Of eth0: MAC and MTU, the address, the route. */
void zl__link_ask_shape(struct zl_nl *nl, int index, const struct zl_link_self *self);
void zl__link_ask_address(struct zl_nl *nl, int index, const struct zl_link_self *self);
/* `flags`: RTNH_F_…. */
void zl__link_ask_default_route(struct zl_nl *nl, int index, uint32_t gateway, unsigned flags);
void zl__link_ask_port_lock(struct zl_nl *nl, int index, uint32_t address);

#endif
