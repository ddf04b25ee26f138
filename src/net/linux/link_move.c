/* SPDX-License-Identifier: Apache-2.0 */
#include "net/linux/link_move.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "net/linux/link_private.h"
#include "net/linux/netlink.h"

struct search {
  struct zl_link_move *move;
  unsigned index;
};

static void take(uint8_t *to, const struct nlattr *attr, size_t len)
{
  const void *data = zl_nl_data(attr, len);

  if (data != NULL)
    memcpy(to, data, len);
}

/* Others are of this host alone, or come and go by themselves. */
static bool moves(const struct ifaddrmsg *info, unsigned index)
{
  return info->ifa_index == index && info->ifa_scope == RT_SCOPE_UNIVERSE &&
         (info->ifa_flags & IFA_F_PERMANENT) != 0 &&
         (info->ifa_family == AF_INET || info->ifa_family == AF_INET6);
}

static int collect(void *ctx, const struct nlmsghdr *message, struct zl_error *err)
{
  const struct search *search = ctx;
  const struct ifaddrmsg *info = zl_nl_payload(message);
  const struct nlattr *attrs[IFA_BROADCAST + 1];
  struct zl_link_address *address = &search->move->addresses[search->move->n];

  if (message->nlmsg_type != RTM_NEWADDR || !moves(info, search->index))
    return 0;
  if (search->move->n == ZL_LINK_ADDRESSES)
    return zl_fail(err, ZL_E_LIMIT, 0, "link '%s' has more than %d addresses", search->move->name,
                   ZL_LINK_ADDRESSES);
  zl_nl_parse(message, sizeof(*info), attrs, IFA_BROADCAST);
  *address = (struct zl_link_address){ .family = info->ifa_family,
                                       .prefix = info->ifa_prefixlen,
                                       .len = info->ifa_family == AF_INET ? 4 : ZL_LINK_IP,
                                       .has_broadcast = attrs[IFA_BROADCAST] != NULL };
  take(address->peer, attrs[IFA_ADDRESS], address->len);
  /* IPv6 has none when there is no peer. */
  take(address->local, attrs[attrs[IFA_LOCAL] != NULL ? IFA_LOCAL : IFA_ADDRESS], address->len);
  take(address->broadcast, attrs[IFA_BROADCAST], sizeof(address->broadcast));
  search->move->n++;
  return 0;
}

int zl_link_move_begin(const char *name, const char *new_name, struct zl_link_move *move,
                       struct zl_error *err)
{
  struct search search = { .move = move };
  zl_autonl nl = { .fd = -1 };
  struct ifaddrmsg *info;
  int r = zl__link_check_name(name, err), index;

  if (r == 0)
    r = zl__link_check_name(new_name, err);
  if (r == 0)
    r = zl_nl_open(&nl, NETLINK_ROUTE, err);
  if (r < 0)
    return r;
  index = zl__link_index(nl.fd, name);
  if (index < 0)
    return zl_fail(err, index == -ENODEV ? ZL_E_NOT_FOUND : ZL_E_SYSTEM, -index, "link '%s'", name);
  search.index = (unsigned)index;
  *move = (struct zl_link_move){ .n = 0 };
  (void)snprintf(move->name, sizeof(move->name), "%s", name);
  (void)snprintf(move->new_name, sizeof(move->new_name), "%s", new_name);
  info = zl_nl_request(&nl, RTM_GETADDR, NLM_F_DUMP, sizeof(*info), "listing addresses");
  info->ifa_family = AF_UNSPEC;
  return zl_nl_query(&nl, collect, &search, err);
}

int zl_link_move(const struct zl_link_move *move, int netns_fd, struct zl_error *err)
{
  struct zl_error own = { 0 };
  zl_autonl nl = { .fd = -1 };
  struct ifinfomsg *info;
  int r = zl_nl_open(&nl, NETLINK_ROUTE, err), index;

  if (r < 0)
    return r;
  index = zl__link_index(nl.fd, move->name);
  if (index < 0)
    return zl_fail(err, ZL_E_SYSTEM, -index, "link '%s'", move->name);
  info = zl_nl_request(&nl, RTM_NEWLINK, 0, sizeof(*info), "moving it into the container");
  info->ifi_index = index;
  zl_nl_put_u32(&nl, IFLA_NET_NS_FD, (uint32_t)netns_fd);
  zl_nl_put_text(&nl, IFLA_IFNAME, move->new_name);
  r = zl_nl_exchange(&nl, &own);
  return r < 0 ? zl__link_explain(err, &own, move->name) : 0;
}

static void ask_address(struct zl_nl *nl, int index, const struct zl_link_address *address)
{
  struct ifaddrmsg *info =
      zl_nl_request(nl, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof(*info), "adding an address");

  info->ifa_family = address->family;
  info->ifa_prefixlen = address->prefix;
  info->ifa_index = (uint32_t)index;
  zl_nl_put(nl, IFA_LOCAL, address->local, address->len);
  zl_nl_put(nl, IFA_ADDRESS, address->peer, address->len);
  if (address->has_broadcast)
    zl_nl_put(nl, IFA_BROADCAST, address->broadcast, sizeof(address->broadcast));
}

int zl_link_move_end(const struct zl_link_move *move, struct zl_error *err)
{
  struct zl_error own = { 0 };
  zl_autonl nl = { .fd = -1 };
  int r = zl_nl_open(&nl, NETLINK_ROUTE, err), index;

  if (r < 0)
    return r;
  index = zl__link_index(nl.fd, move->new_name);
  if (index < 0)
    return zl_fail(err, ZL_E_SYSTEM, -index, "link '%s' in the container", move->new_name);
  /* Each by itself: together they may be more than a batch takes. */
  for (size_t i = 0; r == 0 && i < move->n; i++) {
    ask_address(&nl, index, &move->addresses[i]);
    r = zl_nl_exchange(&nl, &own);
  }
  if (r == 0) {
    zl__link_ask_flags(&nl, index, IFF_UP, "bringing it up");
    r = zl_nl_exchange(&nl, &own);
  }
  return r < 0 ? zl__link_explain(err, &own, move->new_name) : 0;
}
