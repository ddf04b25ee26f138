/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "net/linux/link.h"
#include "net/linux/netlink.h"

struct listing {
  const char *prefix;
  zl_link_fn fn;
  void *ctx;
};

static int list_one(void *ctx, const struct nlmsghdr *message, struct zl_error *err)
{
  const struct listing *listing = ctx;
  const struct ifinfomsg *info = zl_nl_payload(message);
  const struct nlattr *attrs[IFLA_IFNAME + 1];
  struct zl_link_info link = { .name = "" };
  const char *name;

  if (message->nlmsg_type != RTM_NEWLINK)
    return 0;
  zl_nl_parse(message, sizeof(*info), attrs, IFLA_IFNAME);
  name = zl_nl_text(attrs[IFLA_IFNAME]);
  if (strncmp(name, listing->prefix, strlen(listing->prefix)) != 0)
    return 0;
  (void)snprintf(link.name, sizeof(link.name), "%s", name);
  link.index = info->ifi_index;
  link.flags = info->ifi_flags;
  return listing->fn(listing->ctx, &link, err);
}

int zl_link_list(const char *prefix, zl_link_fn fn, void *ctx, struct zl_error *err)
{
  struct listing listing = { .prefix = prefix, .fn = fn, .ctx = ctx };
  zl_autonl nl = { .fd = -1 };
  int r = zl_nl_open(&nl, NETLINK_ROUTE, err);

  if (r < 0)
    return r;
  (void)zl_nl_request(&nl, RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg), "listing links");
  zl_nl_put_u32(&nl, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  return zl_nl_query(&nl, list_one, &listing, err);
}

static int take_stats(void *ctx, const struct nlmsghdr *message, struct zl_error *err)
{
  const struct nlattr *attrs[IFLA_STATS64 + 1];
  const void *found;

  (void)err;
  if (message->nlmsg_type != RTM_NEWLINK)
    return 0;
  zl_nl_parse(message, sizeof(struct ifinfomsg), attrs, IFLA_STATS64);
  /* Only the first counters are read, so a shorter structure of an old kernel does. */
  found = zl_nl_data(attrs[IFLA_STATS64], 4 * sizeof(uint64_t));
  if (found != NULL)
    memcpy(ctx, found, 4 * sizeof(uint64_t));
  return 0;
}

int zl_link_stats(const char *name, uint64_t *ret_rx, uint64_t *ret_tx, struct zl_error *err)
{
  struct rtnl_link_stats64 stats = { 0 };
  struct zl_error own = { 0 };
  zl_autonl nl = { .fd = -1 };
  int r = zl_nl_open(&nl, NETLINK_ROUTE, err);

  if (r < 0)
    return r;
  (void)zl_nl_request(&nl, RTM_GETLINK, 0, sizeof(struct ifinfomsg), "reading its counters");
  zl_nl_put_text(&nl, IFLA_IFNAME, name);
  r = zl_nl_query(&nl, take_stats, &stats, &own);
  if (r < 0)
    return zl_fail(err, own.os_error == ENODEV ? ZL_E_NOT_FOUND : ZL_E_SYSTEM, own.os_error,
                   "counters of link '%s'", name);
  *ret_rx = stats.tx_bytes;
  *ret_tx = stats.rx_bytes;
  return 0;
}
