/* SPDX-License-Identifier: Apache-2.0
 *
 * The node's overlay network: one bridge and one set of nftables rules for each state root, address
 * leases and published ports in the database. IPv4 only in this version: IPv6 is off on the bridge
 * and its links, and frames other than ARP and IPv4 are dropped.
 *
 * Names. The root's path gives an 8-digit tag; the bridge is "zl-<tag>", the tables (families ip
 * and bridge) are "zlayer_<tag>", links are "zl<tag>" and five characters that are never used twice
 * at the same time. So several roots live side by side on one host.
 *
 * Rules of use.
 *  - Functions marked [transaction] are called between zl_store_begin and commit and touch the
 *    database only (zl_ports_reserve also test-binds sockets). All others touch the host, may take
 *    the network lock (ROOT/net.lock) and must NOT be called inside a transaction.
 *  - Order of a creation: begin, journal, zl_lease_acquire, zl_ports_reserve, commit;
 * zl_net_ensure; the shim makes the link; zl_ports_apply. Of a removal: zl_ports_withdraw, link
 * down or zl_link_remove; begin, zl_lease_release, commit. A lease that is
 * committed before zl_net_ensure keeps zl_net_teardown_if_unused away.
 *
 * On Windows the network is the backend's (runtime/hcs): bridge, rules and links do not exist, and
 * what is marked "Linux" neither. Slice, leases and ports are the same.
 *
 * Every function is thread-safe and blocks only for the kernel, the lock and the database.
 * Unless said otherwise a failure is ZL_E_SYSTEM or ZL_E_STORE and changes nothing.
 */
#ifndef ZL_NET_NET_H
#define ZL_NET_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/cleanup.h"
#include "base/ip4.h"
#include "net/slice.h"
#include "store/store.h"

struct zl_net; /* opaque */

/* `root_fd` and `store` are borrowed and must outlive the object; `root` is the directory's path.
 * Touches nothing on the host. */
int zl_net_open(int root_fd, const char *root, struct zl_store *store, const struct zl_slice *slice,
                struct zl_net **ret, struct zl_error *err);
void zl_net_close(struct zl_net *net); /* NULL is fine */
ZL_DEFINE_CLEANUP(struct zl_net, zl_net_close)

/* Borrowed from the object. */
const char *zl_net_bridge(const struct zl_net *net);
const char *zl_net_table(const struct zl_net *net);
const char *zl_net_link_prefix(const struct zl_net *net); /* of every link of this root */
const struct zl_slice *zl_net_slice(const struct zl_net *net);

/* Bridge with gateway address, forwarding and rules exist when it returns. Idempotent, safe against
 * concurrent processes, and two short kernel queries (~30 us) when everything is there. Published
 * ports are put back from the database when the rules had to be made anew (a firewall's flush).
 * ZL_E_CONFLICT: the slice overlaps another interface's address or route, which is named, or the
 * bridge still carries containers of another slice. */
int zl_net_ensure(struct zl_net *net, struct zl_error *err);

/* Linux. Removes bridge, left-over links and rules when the database has no lease; *ret_removed
 * (may be NULL) tells. Idempotent. */
int zl_net_teardown_if_unused(struct zl_net *net, bool *ret_removed, struct zl_error *err);

/* Linux. What exists on the host now. */
struct zl_net_status {
  bool bridge; /* with the right address and up */
  bool rules;
};
int zl_net_status(struct zl_net *net, struct zl_net_status *ret, struct zl_error *err);

/* ---- Leases -------------------------------------------------------------------------------- */

enum {
  ZL_LEASE_LINK = 16 /* as long as the kernel's names of links may be */
};

struct zl_lease {
  uint32_t address;
  char link[ZL_LEASE_LINK]; /* host end's name, new on this host; on Windows a name only */
};

/* [transaction] The lowest free address of the slice and a new link name for `container`; its
 * present lease when it has one. ZL_E_NO_ADDRESS: the slice is full. */
int zl_lease_acquire(struct zl_net *net, const char *container, struct zl_lease *ret,
                     struct zl_error *err);
/* [transaction] Records a lease that is known from the host (recovery). Idempotent. ZL_E_CONFLICT:
 * the address is another container's, who is named. */
int zl_lease_adopt(struct zl_net *net, const char *container, const struct zl_lease *lease,
                   struct zl_error *err);
/* [transaction] Idempotent. */
int zl_lease_release(struct zl_net *net, const char *container, struct zl_error *err);

/* ZL_E_NOT_FOUND. */
int zl_lease_find(struct zl_net *net, const char *container, struct zl_lease *ret,
                  struct zl_error *err);
/* By address. fn returns 0 to go on, > 0 to stop with success, < 0 to stop with that code, and must
 * not use the store. Strings are borrowed. */
typedef int (*zl_lease_fn)(void *ctx, const char *container, const struct zl_lease *lease,
                           struct zl_error *err);
int zl_lease_list(struct zl_net *net, zl_lease_fn fn, void *ctx, struct zl_error *err);

/* ---- Published ports ----------------------------------------------------------------------- */

enum {
  ZL_NET_TCP = 6, /* as the header of IP has them */
  ZL_NET_UDP = 17
};

struct zl_net_port {
  uint32_t host_ip;   /* 0: every address of the host */
  uint16_t host_port; /* 0: the kernel chooses a free one, which is stored here */
  uint16_t container_port;
  uint8_t protocol; /* ZL_NET_TCP or ZL_NET_UDP */
};

/* "0.0.0.0:8080->80/tcp" */
enum {
  ZL_NET_PORT_TEXT = 48
};
const char *zl_net_port_format(const struct zl_net_port *port, char text[ZL_NET_PORT_TEXT]);

/* [transaction] Records the ports of a container that has a lease. ZL_E_CONFLICT: another container
 * (named) or a process of this host has the port. ZL_E_LIMIT: no free port to choose.
 * The port is not kept open: a program that binds it later gets no connections from outside. */
int zl_ports_reserve(struct zl_net *net, const char *container, struct zl_net_port *ports,
                     size_t count, struct zl_error *err);
/* [transaction] Forgets ports that were never applied. Idempotent. */
int zl_ports_release(struct zl_net *net, const char *container, struct zl_error *err);

/* Makes the recorded ports of a container reachable: from other hosts, from this host on any of its
 * addresses including loopback, and from containers. Idempotent. */
int zl_ports_apply(struct zl_net *net, const char *container, struct zl_error *err);
/* Forgets the ports of a container and closes them. Idempotent, also when the rules are gone.
 * Connections that exist are not cut. */
int zl_ports_withdraw(struct zl_net *net, const char *container, struct zl_error *err);
/* Linux. Makes the host's rules match the database exactly, for recovery. */
int zl_ports_rebuild(struct zl_net *net, struct zl_error *err);

/* The recorded ports of one container, or of all for NULL. As zl_lease_list. */
typedef int (*zl_ports_fn)(void *ctx, const char *container, const struct zl_net_port *port,
                           struct zl_error *err);
int zl_ports_list(struct zl_net *net, const char *container, zl_ports_fn fn, void *ctx,
                  struct zl_error *err);

#endif
