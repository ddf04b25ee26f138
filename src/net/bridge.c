/* SPDX-License-Identifier: Apache-2.0 */
#include "net/bridge.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/ip4.h"
#include "base/limits.h"
#include "net/linux/link.h"
#include "net/linux/netlink.h"

enum {
  GENERATION = 1 /* of everything the slow path makes; a change makes it run again */
};

static int take_bridge(void *ctx, const struct nlmsghdr *message, struct zl_error *err)
{
  const struct ifinfomsg *info = zl_nl_payload(message);
  const struct nlattr *attrs[IFLA_IFALIAS + 1];
  struct zl_bridge *bridge = ctx;

  (void)err;
  if (message->nlmsg_type != RTM_NEWLINK)
    return 0;
  zl_nl_parse(message, sizeof(*info), attrs, IFLA_IFALIAS);
  bridge->index = info->ifi_index;
  bridge->up = (info->ifi_flags & IFF_UP) != 0;
  (void)snprintf(bridge->alias, sizeof(bridge->alias), "%s", zl_nl_text(attrs[IFLA_IFALIAS]));
  return 0;
}

int zl_bridge_find(const char *name, struct zl_bridge *ret, struct zl_error *err)
{
  struct zl_bridge bridge = { .index = 0 };
  struct zl_error own = { 0 };
  zl_autonl nl = { .fd = -1 };
  int r = zl_nl_open(&nl, NETLINK_ROUTE, err);

  if (r < 0)
    return r;
  (void)zl_nl_request(&nl, RTM_GETLINK, 0, sizeof(struct ifinfomsg), "looking for the bridge");
  zl_nl_put_text(&nl, IFLA_IFNAME, name);
  zl_nl_put_u32(&nl, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  r = zl_nl_query(&nl, take_bridge, &bridge, &own);
  if (r < 0 && own.os_error != ENODEV)
    return zl_fail(err, ZL_E_SYSTEM, own.os_error, "looking for bridge '%s'", name);
  *ret = bridge;
  return 0;
}

const char *zl_bridge_alias(const struct zl_slice *slice, char text[ZL_BRIDGE_ALIAS])
{
  char network[ZL_SLICE_TEXT];

  (void)snprintf(text, ZL_BRIDGE_ALIAS, "zlayer %d %s", GENERATION,
                 zl_slice_format(slice, network));
  return text;
}

/* The MAC is fixed: otherwise the kernel takes that of the lowest port, and the gateway's would
 * change under the containers when one ends. */
int zl_bridge_create(const char *name, const struct zl_slice *slice, struct zl_error *err)
{
  zl_autonl nl = { .fd = -1 };
  struct zl_error own = { 0 };
  size_t linkinfo, data;
  uint8_t mac[ZL_MAC];
  int r = zl_nl_open(&nl, NETLINK_ROUTE, err);

  if (r < 0)
    return r;
  (void)zl_nl_request(&nl, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg),
                      "making the bridge");
  zl_nl_put_text(&nl, IFLA_IFNAME, name);
  zl_link_mac(zl_slice_gateway(slice), mac);
  zl_nl_put(&nl, IFLA_ADDRESS, mac, sizeof(mac));
  linkinfo = zl_nl_nest(&nl, IFLA_LINKINFO);
  zl_nl_put_text(&nl, IFLA_INFO_KIND, "bridge");
  data = zl_nl_nest(&nl, IFLA_INFO_DATA);
  zl_nl_put_u32(&nl, IFLA_BR_STP_STATE, 0);
  zl_nl_put_u32(&nl, IFLA_BR_FORWARD_DELAY, 0); /* a new port forwards at once */
  zl_nl_put_u8(&nl, IFLA_BR_MCAST_SNOOPING, 0);
  zl_nl_nest_end(&nl, data);
  zl_nl_nest_end(&nl, linkinfo);
  r = zl_nl_exchange(&nl, &own);
  if (r < 0)
    return zl_fail(err, own.os_error == EEXIST ? ZL_E_CONFLICT : ZL_E_SYSTEM, own.os_error,
                   "making bridge '%s'", name);
  return 0;
}

static int add_address(struct zl_nl *nl, int index, const struct zl_slice *slice,
                       struct zl_error *err)
{
  uint32_t gateway = htonl(zl_slice_gateway(slice));
  uint32_t broadcast = htonl(zl_slice_last(slice) + 1);
  struct ifaddrmsg *info = zl_nl_request(nl, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE,
                                         sizeof(*info), "adding the gateway address");

  info->ifa_family = AF_INET;
  info->ifa_prefixlen = (uint8_t)slice->prefix;
  info->ifa_index = (uint32_t)index;
  zl_nl_put(nl, IFA_LOCAL, &gateway, sizeof(gateway));
  zl_nl_put(nl, IFA_ADDRESS, &gateway, sizeof(gateway));
  zl_nl_put(nl, IFA_BROADCAST, &broadcast, sizeof(broadcast));
  return zl_nl_exchange(nl, err);
}

static int set_knob(const char *family, const char *name, const char *knob, const char *value,
                    struct zl_error *err)
{
  char path[96];
  int r;

  (void)snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, name, knob);
  r = zl_file_poke(AT_FDCWD, path, value, err);
  /* A kernel without IPv6 has nothing to turn off. */
  return r == -ZL_E_NOT_FOUND && strcmp(family, "ipv6") == 0 ? 0 : r;
}

int zl_bridge_configure(const char *name, const struct zl_slice *slice, struct zl_error *err)
{
  zl_autonl nl = { .fd = -1 };
  char alias[ZL_BRIDGE_ALIAS];
  struct ifinfomsg *info;
  int index = (int)if_nametoindex(name);
  int r = index == 0 ? zl_fail_errno(err, "finding bridge '%s'", name) : 0;

  if (r == 0)
    r = zl_nl_open(&nl, NETLINK_ROUTE, err);
  if (r == 0)
    r = set_knob("ipv6", name, "disable_ipv6", "1", err);
  if (r == 0)
    r = set_knob("ipv4", name, "route_localnet", "1", err);
  if (r == 0)
    r = add_address(&nl, index, slice, err);
  if (r < 0)
    return r;
  zl_bridge_alias(slice, alias);
  info = zl_nl_request(&nl, RTM_NEWLINK, 0, sizeof(*info), "bringing the bridge up");
  info->ifi_index = index;
  info->ifi_flags = info->ifi_change = IFF_UP;
  zl_nl_put(&nl, IFLA_IFALIAS, alias, strlen(alias));
  return zl_nl_exchange(&nl, err);
}

struct port_search {
  int bridge;
  bool found;
};

static int see_port(void *ctx, const struct nlmsghdr *message, struct zl_error *err)
{
  const struct nlattr *attrs[IFLA_MASTER + 1];
  struct port_search *search = ctx;
  const void *master;
  int index;

  (void)err;
  if (message->nlmsg_type != RTM_NEWLINK)
    return 0;
  zl_nl_parse(message, sizeof(struct ifinfomsg), attrs, IFLA_MASTER);
  master = zl_nl_data(attrs[IFLA_MASTER], sizeof(index));
  if (master == NULL)
    return 0;
  memcpy(&index, master, sizeof(index));
  if (index == search->bridge)
    search->found = true;
  return search->found ? 1 : 0;
}

int zl_bridge_has_ports(const struct zl_bridge *bridge, struct zl_error *err)
{
  struct port_search search = { .bridge = bridge->index };
  zl_autonl nl = { .fd = -1 };
  int r = zl_nl_open(&nl, NETLINK_ROUTE, err);

  if (r < 0)
    return r;
  (void)zl_nl_request(&nl, RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg), "listing ports");
  zl_nl_put_u32(&nl, IFLA_MASTER, (uint32_t)bridge->index);
  zl_nl_put_u32(&nl, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  r = zl_nl_query(&nl, see_port, &search, err);
  return r < 0 ? r : search.found;
}

/* Written only when it is off: a node whose /proc/sys is read-only may have it on already. */
int zl_forwarding_enable(struct zl_error *err)
{
  static const char path[] = "/proc/sys/net/ipv4/ip_forward";
  zl_autobuf now = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  int r = zl_file_read(AT_FDCWD, path, &now, err);

  if (r < 0 || (now.len > 0 && now.data[0] == '1'))
    return r;
  return zl_file_poke(AT_FDCWD, path, "1", err);
}
