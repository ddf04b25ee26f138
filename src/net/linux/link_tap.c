/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "base/fd.h"
#include "net/linux/link_private.h"

/* Not persistent: a machine that has ended, however, has no link. */
static int make(const char *name, int *ret_fd, struct zl_error *err)
{
  struct ifreq request = { .ifr_flags =
                               (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_TUN_EXCL) };
  zl_autofd fd = zl_fd_open(AT_FDCWD, "/dev/net/tun", O_RDWR | O_NONBLOCK, 0);

  if (fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -fd, "opening /dev/net/tun");
  (void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
  if (ioctl(fd, TUNSETIFF, &request) < 0)
    return zl_fail(err, errno == EBUSY ? ZL_E_CONFLICT : ZL_E_SYSTEM, errno, "making the tap");
  *ret_fd = zl_steal_fd(&fd);
  return 0;
}

static void ask_bridge(struct zl_nl *nl, int index, int bridge)
{
  struct ifinfomsg *info =
      zl_nl_request(nl, RTM_NEWLINK, 0, sizeof(*info), "attaching it to the bridge");

  info->ifi_index = index;
  zl_nl_put_u32(nl, IFLA_MASTER, (uint32_t)bridge);
}

static void ask_mtu(struct zl_nl *nl, int index, unsigned mtu)
{
  struct ifinfomsg *info = zl_nl_request(nl, RTM_NEWLINK, 0, sizeof(*info), "setting the MTU");

  info->ifi_index = index;
  zl_nl_put_u32(nl, IFLA_MTU, mtu);
}

/* `bridge` is an index or 0. */
static int raise_tap(struct zl_nl *nl, const struct zl_tap *tap, int bridge, struct zl_error *err)
{
  int index = zl__link_index(nl->fd, tap->name);

  if (index < 0)
    return zl_fail(err, ZL_E_SYSTEM, -index, "finding the new tap");
  zl__link_ask_no_ipv6(nl, index);
  if (tap->mtu != 0)
    ask_mtu(nl, index, tap->mtu);
  if (bridge != 0)
    ask_bridge(nl, index, bridge);
  if (bridge != 0 && tap->address != 0)
    zl__link_ask_port_lock(nl, index, tap->address);
  zl__link_ask_flags(nl, index, IFF_UP, "bringing the tap up");
  return zl_nl_exchange(nl, err);
}

static int create(struct zl_nl *nl, const struct zl_tap *tap, int *ret_fd, struct zl_error *err)
{
  int bridge = tap->bridge != NULL ? zl__link_index(nl->fd, tap->bridge) : 0, r;
  zl_autofd fd = -1;

  if (bridge < 0)
    return zl_fail(err, ZL_E_NOT_FOUND, -bridge, "bridge '%s'", tap->bridge);
  /* A link of another kind: the kernel's own error for it would say nothing. */
  if (zl__link_index(nl->fd, tap->name) > 0)
    return zl_fail(err, ZL_E_CONFLICT, EEXIST, "making the tap");
  r = make(tap->name, &fd, err);
  if (r == 0)
    r = raise_tap(nl, tap, bridge, err);
  if (r == 0)
    *ret_fd = zl_steal_fd(&fd);
  return r;
}

int zl_link_create_tap(const struct zl_tap *tap, int *ret_fd, struct zl_error *err)
{
  zl_autonl nl = { .fd = -1 };
  struct zl_error own = { 0 };
  int r = zl__link_check_name(tap->name, &own);

  if (r == 0)
    r = zl_nl_open(&nl, NETLINK_ROUTE, &own);
  if (r == 0)
    r = create(&nl, tap, ret_fd, &own);
  return r == 0 ? 0 : zl__link_explain(err, &own, tap->name);
}
