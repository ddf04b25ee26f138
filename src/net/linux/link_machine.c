/* SPDX-License-Identifier: Apache-2.0 */
#include "net/linux/link.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include "base/fd.h"
#include "net/linux/link_private.h"

enum {
  LOOPBACK_IFINDEX = 1
};

static int no_ipv6(struct zl_error *err)
{
  int r = zl_file_poke(AT_FDCWD, "/proc/sys/net/ipv6/conf/" ZL_LINK_SELF "/disable_ipv6", "1", err);

  return r == -ZL_E_NOT_FOUND ? 0 : r; /* a kernel without IPv6, or no such link */
}

int zl_link_prepare_machine(struct zl_error *err)
{
  zl_autonl nl = { .fd = -1 };
  int r = zl_link_default_no_ipv6(err), index;

  if (r == 0)
    r = no_ipv6(err);
  if (r == 0)
    r = zl_nl_open(&nl, NETLINK_ROUTE, err);
  if (r < 0)
    return r;
  index = zl__link_index(nl.fd, ZL_LINK_SELF);
  zl__link_ask_flags(&nl, LOOPBACK_IFINDEX, IFF_UP, "bringing lo up");
  if (index >= 0)
    zl__link_ask_flags(&nl, index, IFF_UP, "bringing " ZL_LINK_SELF " up");
  return zl_nl_exchange(&nl, err);
}

/* Its routes go with the only address of a link. */
static void ask_removal(struct zl_nl *nl, int index, const struct zl_link_self *old)
{
  struct ifaddrmsg *info =
      zl_nl_request(nl, RTM_DELADDR, 0, sizeof(*info), "removing the address from " ZL_LINK_SELF);

  info->ifa_family = AF_INET;
  info->ifa_prefixlen = (uint8_t)old->prefix;
  info->ifa_index = (uint32_t)index;
  zl_nl_put_u32(nl, IFA_LOCAL, htonl(old->address));
}

int zl_link_assign_machine(const struct zl_link_self *self, const struct zl_link_self *old,
                           struct zl_error *err)
{
  zl_autonl nl = { .fd = -1 };
  int r = zl_nl_open(&nl, NETLINK_ROUTE, err), index;

  if (r < 0)
    return r;
  index = zl__link_index(nl.fd, ZL_LINK_SELF);
  if (index < 0)
    return zl_fail(err, ZL_E_SYSTEM, -index, "finding " ZL_LINK_SELF);
  if (old != NULL)
    ask_removal(&nl, index, old);
  if (self->mac != NULL || self->mtu != 0)
    zl__link_ask_shape(&nl, index, self);
  zl__link_ask_address(&nl, index, self);
  /* A machine that was told of no address before has it down. */
  zl__link_ask_flags(&nl, index, IFF_UP, "bringing " ZL_LINK_SELF " up");
  if (self->gateway != 0)
    /* The gateway of a pod need not be of the address's own network. */
    zl__link_ask_default_route(&nl, index, self->gateway, RTNH_F_ONLINK);
  return zl_nl_exchange(&nl, err);
}
