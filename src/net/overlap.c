/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

#include "base/ip4.h"
#include "net/bridge.h"
#include "net/linux/netlink.h"

struct search {
  const struct zl_slice *slice;
  int own_index;
};

static bool read_u32(const struct nlattr *attr, uint32_t *ret)
{
  const void *data = zl_nl_data(attr, sizeof(*ret));

  if (data != NULL)
    memcpy(ret, data, sizeof(*ret));
  return data != NULL;
}

static int refuse(const struct search *search, const char *kind, uint32_t address, unsigned prefix,
                  uint32_t index, struct zl_error *err)
{
  char slice[ZL_SLICE_TEXT], text[ZL_IP4_TEXT], name[IF_NAMESIZE] = "?";

  (void)if_indextoname(index, name);
  return zl_fail(
      err, ZL_E_CONFLICT, 0, "slice %s overlaps %s%s/%u on %s: choose another with --slice-cidr",
      zl_slice_format(search->slice, slice), kind, zl_ip4_format(address, text), prefix, name);
}

static int see_address(void *ctx, const struct nlmsghdr *message, struct zl_error *err)
{
  const struct ifaddrmsg *info = zl_nl_payload(message);
  const struct nlattr *attrs[IFA_LOCAL + 1];
  const struct search *search = ctx;
  uint32_t address;

  if (message->nlmsg_type != RTM_NEWADDR || (int)info->ifa_index == search->own_index)
    return 0;
  zl_nl_parse(message, sizeof(*info), attrs, IFA_LOCAL);
  if (!read_u32(attrs[IFA_LOCAL], &address) && !read_u32(attrs[IFA_ADDRESS], &address))
    return 0;
  address = ntohl(address);
  if (!zl_slice_overlaps(search->slice, address, info->ifa_prefixlen))
    return 0;
  return refuse(search, "", address, info->ifa_prefixlen, info->ifa_index, err);
}

static int see_route(void *ctx, const struct nlmsghdr *message, struct zl_error *err)
{
  const struct rtmsg *info = zl_nl_payload(message);
  const struct nlattr *attrs[RTA_OIF + 1];
  const struct search *search = ctx;
  uint32_t network, index;

  /* Prefixes 0 and 1 are default routes; VPNs use two halves to get before the real one. */
  if (message->nlmsg_type != RTM_NEWROUTE || info->rtm_table != RT_TABLE_MAIN ||
      info->rtm_dst_len <= 1 || info->rtm_type != RTN_UNICAST)
    return 0;
  zl_nl_parse(message, sizeof(*info), attrs, RTA_OIF);
  if (!read_u32(attrs[RTA_DST], &network) || !read_u32(attrs[RTA_OIF], &index) ||
      (int)index == search->own_index)
    return 0;
  network = ntohl(network);
  if (!zl_slice_overlaps(search->slice, network, info->rtm_dst_len))
    return 0;
  return refuse(search, "the route ", network, info->rtm_dst_len, index, err);
}

int zl_overlap_check(const struct zl_slice *slice, int own_index, struct zl_error *err)
{
  struct search search = { .slice = slice, .own_index = own_index };
  zl_autonl nl = { .fd = -1 };
  struct ifaddrmsg *address;
  struct rtmsg *route;
  int r = zl_nl_open(&nl, NETLINK_ROUTE, err);

  if (r < 0)
    return r;
  address = zl_nl_request(&nl, RTM_GETADDR, NLM_F_DUMP, sizeof(*address), "listing addresses");
  address->ifa_family = AF_INET;
  r = zl_nl_query(&nl, see_address, &search, err);
  if (r < 0)
    return r;
  route = zl_nl_request(&nl, RTM_GETROUTE, NLM_F_DUMP, sizeof(*route), "listing routes");
  route->rtm_family = AF_INET;
  return zl_nl_query(&nl, see_route, &search, err);
}
