/* SPDX-License-Identifier: Apache-2.0 */
#include "net/linux/link.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/ip4.h"
#include "net/linux/link_private.h"
#include "net/linux/link_ready.h"
#include "net/linux/netlink.h"

/* The first link of every namespace (net/flow.h in the kernel, not exported). */
enum {
  LOOPBACK_IFINDEX = 1
};

int zl__link_check_name(const char *name, struct zl_error *err)
{
  size_t len = strlen(name);

  if (len == 0 || len >= ZL_LINK_NAME)
    return zl_fail(err, ZL_E_INVALID, 0, "link name '%s' is not 1 to 15 characters long", name);
  return 0;
}

int zl__link_explain(struct zl_error *err, const struct zl_error *own, const char *name)
{
  if (err == NULL)
    return -(int)own->code;
  *err = *own;
  return zl_wrap(err, "link '%s'", name);
}

/* The ioctl works on any socket and saves the kernel from describing the whole link. */
int zl__link_index(int sock, const char *name)
{
  struct ifreq request = { 0 };

  (void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
  return ioctl(sock, SIOCGIFINDEX, &request) < 0 ? -errno : request.ifr_ifindex;
}

void zl_link_mac(uint32_t address, uint8_t mac[ZL_MAC])
{
  mac[0] = 0x02; /* locally administered, unicast */
  mac[1] = 0x00;
  for (int i = 0; i < 4; i++)
    mac[2 + i] = (uint8_t)(address >> (24 - 8 * i));
}

/* One queue each: the kernel would make one for every possible CPU, which is memory for nothing on
 * a large machine as veth has no transmit lock. */
static void put_common(struct zl_nl *nl, const char *name, unsigned mtu)
{
  zl_nl_put_text(nl, IFLA_IFNAME, name);
  zl_nl_put_u32(nl, IFLA_NUM_TX_QUEUES, 1);
  zl_nl_put_u32(nl, IFLA_NUM_RX_QUEUES, 1);
  if (mtu != 0)
    zl_nl_put_u32(nl, IFLA_MTU, mtu);
}

static void put_peer(struct zl_nl *nl, const struct zl_veth *spec)
{
  size_t peer = zl_nl_nest(nl, VETH_INFO_PEER);
  uint8_t mac[ZL_MAC];

  (void)zl_nl_raw(nl, sizeof(struct ifinfomsg));
  put_common(nl, ZL_LINK_SELF, spec->mtu);
  zl_link_mac(spec->address, mac);
  zl_nl_put(nl, IFLA_ADDRESS, mac, sizeof(mac));
  zl_nl_put_u32(nl, IFLA_NET_NS_FD, (uint32_t)spec->netns_fd);
  zl_nl_nest_end(nl, peer);
}

static int create_pair(struct zl_nl *nl, const struct zl_veth *spec, int bridge,
                       struct zl_error *err)
{
  struct ifinfomsg *info = zl_nl_request(nl, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(*info),
                                         "making the link pair");
  size_t linkinfo, data;
  int r;

  info->ifi_family = AF_UNSPEC;
  put_common(nl, spec->link, spec->mtu);
  zl_nl_put_u32(nl, IFLA_MASTER, (uint32_t)bridge);
  linkinfo = zl_nl_nest(nl, IFLA_LINKINFO);
  zl_nl_put_text(nl, IFLA_INFO_KIND, "veth");
  data = zl_nl_nest(nl, IFLA_INFO_DATA);
  put_peer(nl, spec);
  zl_nl_nest_end(nl, data);
  zl_nl_nest_end(nl, linkinfo);
  r = zl_nl_exchange(nl, err);
  return r < 0 && err->os_error == EEXIST ? zl_fail(err, ZL_E_CONFLICT, EEXIST, "making it") : r;
}

static void put_no_ipv6(struct zl_nl *nl)
{
  size_t families = zl_nl_nest(nl, IFLA_AF_SPEC);
  size_t inet6 = zl_nl_nest(nl, AF_INET6);

  zl_nl_put_u8(nl, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
  zl_nl_nest_end(nl, inet6);
  zl_nl_nest_end(nl, families);
}

void zl__link_ask_flags(struct zl_nl *nl, int index, unsigned flags, const char *what)
{
  struct ifinfomsg *info = zl_nl_request(nl, RTM_NEWLINK, 0, sizeof(*info), what);

  info->ifi_index = index;
  info->ifi_flags = flags;
  info->ifi_change = IFF_UP;
}

/* No address generated: asked before the link is up, since coming up is when the kernel does it. */
void zl__link_ask_no_ipv6(struct zl_nl *nl, int index)
{
  struct ifinfomsg *info =
      zl_nl_request(nl, RTM_NEWLINK, 0, sizeof(*info), "turning IPv6 addresses off");

  info->ifi_index = index;
  put_no_ipv6(nl);
}

/* The port takes frames from the container's own MAC only (a kernel before 5.18 ignores this), and
 * the bridge knows where that MAC lives without learning, so no container can claim another's. */
void zl__link_ask_port_lock(struct zl_nl *nl, int index, uint32_t address)
{
  struct ifinfomsg *info = zl_nl_request(nl, RTM_SETLINK, 0, sizeof(*info), "locking the port");
  struct ndmsg *neighbour;
  uint8_t mac[ZL_MAC];
  size_t port;

  info->ifi_family = AF_BRIDGE;
  info->ifi_index = index;
  port = zl_nl_nest(nl, IFLA_PROTINFO);
  zl_nl_put_u8(nl, IFLA_BRPORT_LEARNING, 0);
  zl_nl_put_u8(nl, IFLA_BRPORT_GUARD, 1);
  /* Where bridged packets pass the IP hooks too (br_netfilter), a container's way to its own
   * published port turns round within the bridge. */
  zl_nl_put_u8(nl, IFLA_BRPORT_MODE, BRIDGE_MODE_HAIRPIN);
  zl_nl_put_u8(nl, IFLA_BRPORT_LOCKED, 1);
  zl_nl_nest_end(nl, port);

  neighbour = zl_nl_request(nl, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, sizeof(*neighbour),
                            "adding the port's MAC");
  neighbour->ndm_family = AF_BRIDGE;
  neighbour->ndm_ifindex = index;
  neighbour->ndm_state = NUD_NOARP;
  neighbour->ndm_flags = NTF_MASTER;
  zl_link_mac(address, mac);
  zl_nl_put(nl, NDA_LLADDR, mac, sizeof(mac));
}

static int raise_port(struct zl_nl *nl, const struct zl_veth *spec, struct zl_error *err)
{
  int index = zl__link_index(nl->fd, spec->link);

  if (index < 0)
    return zl_fail(err, ZL_E_SYSTEM, -index, "finding the new link");
  zl__link_ask_no_ipv6(nl, index);
  zl__link_ask_port_lock(nl, index, spec->address);
  zl__link_ask_flags(nl, index, IFF_UP, "bringing the link up");
  return zl_nl_exchange(nl, err);
}

int zl_link_create_veth(const struct zl_veth *spec, struct zl_error *err)
{
  zl_autonl nl = { .fd = -1 };
  struct zl_error own = { 0 };
  int r = zl__link_check_name(spec->link, &own), bridge;

  if (r == 0)
    r = zl_nl_open(&nl, NETLINK_ROUTE, &own);
  if (r == 0) {
    bridge = zl__link_index(nl.fd, spec->bridge);
    if (bridge < 0)
      return zl_fail(err, ZL_E_NOT_FOUND, -bridge, "bridge '%s'", spec->bridge);
    r = create_pair(&nl, spec, bridge, &own);
  }
  if (r == 0) {
    r = raise_port(&nl, spec, &own);
    if (r < 0)
      (void)zl_link_remove(spec->link, NULL);
  }
  return r == 0 ? 0 : zl__link_explain(err, &own, spec->link);
}

/* Without IPv6 in the kernel there is nothing to turn off. */
static int poke_no_ipv6(int proc_fd, const char *path, struct zl_error *err)
{
  int r = zl_file_poke(proc_fd, path, "1", err);

  return r == -ZL_E_NOT_FOUND ? 0 : r;
}

static int disable_ipv6(int proc_fd, struct zl_error *err)
{
  static const char path[] = "sys/net/ipv6/conf/" ZL_LINK_SELF "/disable_ipv6";
  zl_autofd fd = proc_fd < 0 ? -1 : zl_fd_open(proc_fd, path, O_RDONLY, 0);
  char now = '0';

  if (proc_fd < 0 || (fd >= 0 && zl_fd_read_full(fd, &now, 1) == 1 && now == '1'))
    return 0;
  return poke_no_ipv6(proc_fd, path, err);
}

int zl_link_default_no_ipv6(struct zl_error *err)
{
  return poke_no_ipv6(AT_FDCWD, "/proc/sys/net/ipv6/conf/default/disable_ipv6", err);
}

void zl__link_ask_shape(struct zl_nl *nl, int index, const struct zl_link_self *self)
{
  struct ifinfomsg *info =
      zl_nl_request(nl, RTM_NEWLINK, 0, sizeof(*info), "setting MAC and MTU of " ZL_LINK_SELF);

  info->ifi_index = index;
  if (self->mac != NULL)
    zl_nl_put(nl, IFLA_ADDRESS, self->mac, ZL_MAC);
  if (self->mtu != 0)
    zl_nl_put_u32(nl, IFLA_MTU, self->mtu);
}

void zl__link_ask_address(struct zl_nl *nl, int index, const struct zl_link_self *self)
{
  struct ifaddrmsg *info = zl_nl_request(nl, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof(*info),
                                         "adding the address to " ZL_LINK_SELF);
  uint32_t broadcast = self->address | ~zl_ip4_mask(self->prefix);

  info->ifa_family = AF_INET;
  info->ifa_prefixlen = (uint8_t)self->prefix;
  info->ifa_index = (uint32_t)index;
  zl_nl_put_u32(nl, IFA_LOCAL, htonl(self->address));
  zl_nl_put_u32(nl, IFA_ADDRESS, htonl(self->address));
  zl_nl_put_u32(nl, IFA_BROADCAST, htonl(broadcast));
}

void zl__link_ask_default_route(struct zl_nl *nl, int index, uint32_t gateway, unsigned flags)
{
  struct rtmsg *info = zl_nl_request(nl, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, sizeof(*info),
                                     "adding the default route");

  info->rtm_family = AF_INET;
  info->rtm_table = RT_TABLE_MAIN;
  info->rtm_protocol = RTPROT_STATIC;
  info->rtm_scope = RT_SCOPE_UNIVERSE;
  info->rtm_type = RTN_UNICAST;
  info->rtm_flags = flags;
  zl_nl_put_u32(nl, RTA_GATEWAY, htonl(gateway));
  zl_nl_put_u32(nl, RTA_OIF, (uint32_t)index);
}

int zl_link_configure_self(const struct zl_link_self *self, struct zl_error *err)
{
  zl_autonl nl = { .fd = -1 };
  int r = zl_nl_open(&nl, NETLINK_ROUTE, err), index;

  if (r < 0)
    return r;
  index = zl__link_index(nl.fd, ZL_LINK_SELF);
  if (index < 0)
    return zl_fail(err, ZL_E_SYSTEM, -index, "finding " ZL_LINK_SELF " in the container");
  r = disable_ipv6(self->proc_fd, err);
  if (r < 0)
    return r;
  zl__link_ask_flags(&nl, LOOPBACK_IFINDEX, IFF_UP, "bringing lo up");
  if (self->mac != NULL || self->mtu != 0)
    zl__link_ask_shape(&nl, index, self);
  if (self->proc_fd < 0)
    zl__link_ask_no_ipv6(&nl, index);
  zl__link_ask_address(&nl, index, self);
  zl__link_ask_flags(&nl, index, IFF_UP, "bringing " ZL_LINK_SELF " up");
  if (self->gateway != 0)
    zl__link_ask_default_route(&nl, index, self->gateway, 0);
  r = zl_nl_exchange(&nl, err);
  if (r == 0)
    zl__link_await_peer(&nl, index);
  return r;
}

int zl_link_lo_up(struct zl_error *err)
{
  zl_autonl nl = { .fd = -1 };
  int r = zl_nl_open(&nl, NETLINK_ROUTE, err);

  if (r < 0)
    return r;
  zl__link_ask_flags(&nl, LOOPBACK_IFINDEX, IFF_UP, "bringing lo up");
  return zl_nl_exchange(&nl, err);
}

/* Runs one request that success and absence of the link both satisfy. */
static int finish_idempotent(struct zl_nl *nl, const char *name, struct zl_error *err)
{
  struct zl_error own = { 0 };
  int r = zl_nl_exchange(nl, &own);

  if (r == 0 || own.os_error == ENODEV)
    return 0;
  return zl__link_explain(err, &own, name);
}

int zl_link_set_down(const char *name, struct zl_error *err)
{
  zl_autonl nl = { .fd = -1 };
  int r = zl__link_check_name(name, err), index;

  if (r == 0)
    r = zl_nl_open(&nl, NETLINK_ROUTE, err);
  if (r < 0)
    return r;
  index = zl__link_index(nl.fd, name);
  if (index < 0)
    return 0;
  zl__link_ask_flags(&nl, index, 0, "taking it down");
  return finish_idempotent(&nl, name, err);
}

int zl_link_remove(const char *name, struct zl_error *err)
{
  zl_autonl nl = { .fd = -1 };
  struct ifinfomsg *info;
  int r = zl__link_check_name(name, err);

  if (r == 0)
    r = zl_nl_open(&nl, NETLINK_ROUTE, err);
  if (r < 0)
    return r;
  info = zl_nl_request(&nl, RTM_DELLINK, 0, sizeof(*info), "removing it");
  info->ifi_family = AF_UNSPEC;
  zl_nl_put_text(&nl, IFLA_IFNAME, name);
  return finish_idempotent(&nl, name, err);
}

int zl_link_exists(const char *name, struct zl_error *err)
{
  zl_autofd sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  int r;

  if (sock < 0)
    return zl_fail_errno(err, "looking for link '%s'", name);
  r = zl__link_index(sock, name);
  if (r < 0 && r != -ENODEV)
    return zl_fail(err, ZL_E_SYSTEM, -r, "looking for link '%s'", name);
  return r > 0;
}
