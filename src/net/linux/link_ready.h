/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the links: when a pair can carry traffic.
 */
#ifndef ZL_NET_LINUX_LINK_READY_H
#define ZL_NET_LINUX_LINK_READY_H

#include "net/linux/netlink.h"

/* Called when both ends are up: returns when the other end and its bridge forward, usually at once,
 * at most 400 ms later. The kernel brings them into service from a work queue; a frame sent before
 * is lost, and a lost ARP request costs a whole second. Where the other end may not be seen (from
 * another user namespace) it does not wait. */
void zl__link_await_peer(struct zl_nl *nl, int index);

#endif
