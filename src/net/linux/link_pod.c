/* SPDX-License-Identifier: Apache-2.0
 *
 * What somebody else (a CNI plugin) has set up in a network namespace, for a machine that takes its
 * place.
 */
#include <arpa/inet.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "base/ip4.h"
#include "net/linux/link_private.h"

enum {
  LOOPBACK_IFINDEX = 1
};

struct look {
  struct zl_link_pod *pod;
  int index; /* of its link; 0: none yet */
};

static int refuse(struct zl_error *err, const char *what)
{
  return zl_fail(err, ZL_E_UNSUPPORTED, 0, "%s: a machine has one link with one IPv4 address",
                 what);
}

static uint32_t read_u32(const struct nlattr *attr)
{
  const void *at = zl_nl_data(attr, sizeof(uint32_t));
  uint32_t value = 0;

  if (at != NULL)
    memcpy(&value, at, sizeof(value));
  return value;
}

/* ---- The address --------------------------------------------------------------------------- */

static int take_address(void *ctx, const struct nlmsghdr *message, struct zl_error *err)
{
  struct look *look = ctx;
  const struct ifaddrmsg *info = zl_nl_payload(message);
  const struct nlattr *attrs[IFA_LOCAL + 1];

  if (message->nlmsg_type != RTM_NEWADDR || info->ifa_index == LOOPBACK_IFINDEX)
    return 0;
  if (info->ifa_family == AF_INET6 && info->ifa_scope != RT_SCOPE_UNIVERSE)
    return 0; /* the kernel's own, of the link */
  if (info->ifa_family != AF_INET)
    return refuse(err, "the network namespace has an IPv6 address");
  if (look->index != 0)
    return refuse(err, "the network namespace has several IPv4 addresses");
  zl_nl_parse(message, sizeof(*info), attrs, IFA_LOCAL);
  look->index = (int)info->ifa_index;
  look->pod->address = ntohl(read_u32(attrs[IFA_LOCAL]));
  look->pod->prefix = info->ifa_prefixlen;
  return 0;
}

static int find_address(struct zl_nl *nl, struct look *look, struct zl_error *err)
{
  (void)zl_nl_request(nl, RTM_GETADDR, NLM_F_DUMP, sizeof(struct ifaddrmsg), "listing addresses");
  return zl_nl_query(nl, take_address, look, err);
}

/* ---- Its link ------------------------------------------------------------------------------ */

static int take_link(void *ctx, const struct nlmsghdr *message, struct zl_error *err)
{
  struct look *look = ctx;
  const struct ifinfomsg *info = zl_nl_payload(message);
  const struct nlattr *attrs[IFLA_MTU + 1];
  const void *mac;

  if (message->nlmsg_type != RTM_NEWLINK || info->ifi_index != look->index)
    return 0;
  zl_nl_parse(message, sizeof(*info), attrs, IFLA_MTU);
  (void)snprintf(look->pod->name, sizeof(look->pod->name), "%s", zl_nl_text(attrs[IFLA_IFNAME]));
  mac = zl_nl_data(attrs[IFLA_ADDRESS], ZL_MAC);
  if (info->ifi_type != ARPHRD_ETHER || mac == NULL)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0, "link '%s' is no Ethernet", look->pod->name);
  memcpy(look->pod->mac, mac, ZL_MAC);
  look->pod->mtu = read_u32(attrs[IFLA_MTU]);
  return 0;
}

static int find_link(struct zl_nl *nl, struct look *look, struct zl_error *err)
{
  (void)zl_nl_request(nl, RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg), "listing links");
  zl_nl_put_u32(nl, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  return zl_nl_query(nl, take_link, look, err);
}

/* ---- Its routes ---------------------------------------------------------------------------- */

struct route {
  uint32_t destination, gateway;
  unsigned prefix;
};

/* False: not one of those that were added, of this link. */
static bool read_route(const struct nlmsghdr *message, int index, struct route *ret)
{
  const struct rtmsg *info = zl_nl_payload(message);
  const struct nlattr *attrs[RTA_GATEWAY + 1];

  if (message->nlmsg_type != RTM_NEWROUTE || info->rtm_family != AF_INET ||
      info->rtm_table != RT_TABLE_MAIN)
    return false;
  zl_nl_parse(message, sizeof(*info), attrs, RTA_GATEWAY);
  *ret = (struct route){ .destination = ntohl(read_u32(attrs[RTA_DST])),
                         .gateway = ntohl(read_u32(attrs[RTA_GATEWAY])),
                         .prefix = info->rtm_dst_len };
  return (int)read_u32(attrs[RTA_OIF]) == index;
}

static int take_default(void *ctx, const struct nlmsghdr *message, struct zl_error *err)
{
  struct look *look = ctx;
  struct route route;

  (void)err;
  if (read_route(message, look->index, &route) && route.prefix == 0 && look->pod->gateway == 0)
    look->pod->gateway = route.gateway;
  return 0;
}

/* Those that the address and the default route bring along need not be told. */
static int check_route(void *ctx, const struct nlmsghdr *message, struct zl_error *err)
{
  const struct look *look = ctx;
  const struct zl_link_pod *pod = look->pod;
  struct route route;
  char text[ZL_IP4_TEXT];
  uint32_t mask = zl_ip4_mask(pod->prefix);

  if (!read_route(message, look->index, &route) ||
      (route.gateway == pod->gateway && route.gateway != 0))
    return 0;
  if (route.gateway == 0 && route.prefix >= pod->prefix &&
      (route.destination & mask) == (pod->address & mask))
    return 0;
  if (route.gateway == 0 && route.prefix == 32 && route.destination == pod->gateway)
    return 0;
  return zl_fail(err, ZL_E_UNSUPPORTED, 0, "the route to %s/%u: a machine has a default route only",
                 zl_ip4_format(route.destination, text), route.prefix);
}

static int each_route(struct zl_nl *nl, zl_nl_fn fn, struct look *look, struct zl_error *err)
{
  struct rtmsg *info = zl_nl_request(nl, RTM_GETROUTE, NLM_F_DUMP, sizeof(*info), "listing routes");

  info->rtm_family = AF_INET;
  return zl_nl_query(nl, fn, look, err);
}

int zl_link_find_pod(struct zl_link_pod *ret, struct zl_error *err)
{
  struct zl_link_pod pod = { .name = "" };
  struct look look = { .pod = &pod };
  zl_autonl nl = { .fd = -1 };
  int r = zl_nl_open(&nl, NETLINK_ROUTE, err);

  if (r == 0)
    r = find_address(&nl, &look, err);
  if (r < 0 || look.index == 0)
    return r;
  r = find_link(&nl, &look, err);
  if (r == 0)
    r = each_route(&nl, take_default, &look, err);
  if (r == 0)
    r = each_route(&nl, check_route, &look, err);
  if (r < 0)
    return r;
  *ret = pod;
  return 1;
}
