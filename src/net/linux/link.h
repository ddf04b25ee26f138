/* SPDX-License-Identifier: Apache-2.0
 *
 * Network links of the kernel over rtnetlink: the pair that joins a container to its bridge, and
 * what a container's own namespace needs. Small enough for the static shim: no library, no thread,
 * no heap. Each call opens and closes its own socket in the network namespace of the calling
 * thread and blocks only for the kernel's answers. IPv4 only: IPv6 is off on these links.
 *
 * Every failure is ZL_E_SYSTEM with the kernel's errno and its own explanation where it gives one;
 * other codes are named below. Addresses are host byte order (base/ip4.h).
 */
#ifndef ZL_NET_LINUX_LINK_H
#define ZL_NET_LINUX_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include <zlayer/error.h>

enum {
  ZL_LINK_NAME = 16, /* IFNAMSIZ: at most 15 characters and the NUL */
  ZL_MAC = 6
};

#define ZL_LINK_SELF "eth0" /* the pair's end inside the container */

struct zl_veth {
  const char *link;   /* name of the host's end; must be new */
  const char *bridge; /* in the caller's namespace */
  int netns_fd;       /* the container's network namespace, e.g. /proc/PID/ns/net */
  uint32_t address;   /* of the container: its MAC is derived from it, and the bridge's port is
                         locked to that MAC (kernel 5.18) */
  unsigned mtu;       /* 0: the kernel's 1500 */
};

/* Makes the pair: the host's end attached to the bridge and up, the other end as eth0, down and
 * without address, in the given namespace. ZL_E_NOT_FOUND: no such bridge. ZL_E_CONFLICT: the name
 * is taken. After an error no link is left. Not idempotent. */
int zl_link_create_veth(const struct zl_veth *spec, struct zl_error *err);

struct zl_tap {
  const char *name;   /* must be new */
  const char *bridge; /* in the caller's namespace; NULL: none */
  uint32_t address;   /* of the guest: as in zl_veth; 0: the port takes any MAC */
  unsigned mtu;       /* 0: the kernel's 1500 */
};

/* Makes a tap for a virtual machine (frames with virtio-net's header), attached to the bridge and
 * up. It vanishes with the last copy of its descriptor, which is non-blocking. Codes as above. */
int zl_link_create_tap(const struct zl_tap *tap, int *ret_fd, struct zl_error *err);

struct zl_link_self {
  uint32_t address;
  unsigned prefix;
  uint32_t gateway;   /* 0: no default route */
  unsigned mtu;       /* 0: as it is */
  const uint8_t *mac; /* ZL_MAC bytes, set before the link is up; NULL: as it is */
  int proc_fd;        /* a directory descriptor of any procfs: turns IPv6 off on eth0 completely;
                         -1: only no address is generated for it */
};

/* Called in the container's namespace with CAP_NET_ADMIN there: lo up; eth0 with address, up and
 * default route. Returns when the bridge lets traffic through (not awaited from another user
 * namespace: the kernel needs about a millisecond more). */
int zl_link_configure_self(const struct zl_link_self *self, struct zl_error *err);

/* ---- The link of a virtual machine, seen from inside (link_machine.c) ---- */

/* lo and eth0 up, without IPv6 and without an address: bringing a link up is most of what it costs,
 * so this is done before the machine is anybody's. Success when there is no eth0. */
int zl_link_prepare_machine(struct zl_error *err);
/* Gives eth0, which is up, an address, MAC, MTU and route (proc_fd is not used), in place of those
 * of `old` (NULL: it has none). */
int zl_link_assign_machine(const struct zl_link_self *self, const struct zl_link_self *old,
                           struct zl_error *err);

/* ---- A machine in the place of a link that somebody else has set up ---- */

struct zl_link_pod {
  char name[ZL_LINK_NAME];
  uint8_t mac[ZL_MAC];
  unsigned mtu;
  uint32_t address;
  unsigned prefix;
  uint32_t gateway; /* 0: no default route */
};

/* The one link with an address beside lo in the calling thread's namespace (link_pod.c). 1: *ret is
 * it; 0: there is none. ZL_E_UNSUPPORTED: more than a machine can have. */
int zl_link_find_pod(struct zl_link_pod *ret, struct zl_error *err);

/* What either link receives is sent by the other (link_redirect.c). What was made so before for a
 * link that has gone is replaced. ZL_E_NOT_FOUND: no such link. */
int zl_link_redirect(const char *one, const char *other, struct zl_error *err);

/* lo up in the calling thread's namespace. Idempotent. */
int zl_link_lo_up(struct zl_error *err);

/* Links that come into the caller's network namespace from now on are born without IPv6, and
 * zl_link_configure_self finds nothing to turn off: the kernel repeats such a write, burning CPU,
 * for as long as it takes down another namespace. Best done ahead of time. */
int zl_link_default_no_ipv6(struct zl_error *err);

/* Takes a link down: < 1 ms, and from then on nothing answers for its address, while removal of a
 * pair waits for the kernel's grace periods (~17 ms). The pair itself goes when the container's
 * namespace does. Idempotent: success also when there is no such link. */
int zl_link_set_down(const char *name, struct zl_error *err);

/* Removes a link and waits for it. Idempotent. */
int zl_link_remove(const char *name, struct zl_error *err);

/* 1: there is such a link, 0: none, negative: error. */
int zl_link_exists(const char *name, struct zl_error *err);

struct zl_link_info {
  char name[ZL_LINK_NAME];
  int index;
  unsigned flags; /* IFF_… */
};

/* Calls fn for each link whose name begins with `prefix`. fn returns 0 to go on, > 0 to stop with
 * success, < 0 to stop with that code (and *err filled by it). fn may use this interface. */
typedef int (*zl_link_fn)(void *ctx, const struct zl_link_info *link, struct zl_error *err);
int zl_link_list(const char *prefix, zl_link_fn fn, void *ctx, struct zl_error *err);

/* Bytes received and sent as the container sees them (the host's end counts the other way round).
 * ZL_E_NOT_FOUND. */
int zl_link_stats(const char *name, uint64_t *ret_rx, uint64_t *ret_tx, struct zl_error *err);

/* 02:00 and the four bytes of the address: the same container address always has the same MAC, so
 * neighbours' ARP caches stay right when an address is used again. */
void zl_link_mac(uint32_t address, uint8_t mac[ZL_MAC]);
/* "02:00:0a:c8:00:02"; false: it is none. */
bool zl_link_mac_parse(const char *text, uint8_t mac[ZL_MAC]);

#endif
