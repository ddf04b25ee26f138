/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/process/network.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/path.h"
#include "net/linux/link.h"

int network_join(struct process_shim *shim, const struct zl_child *init, struct zl_error *err)
{
  const struct zl_net_config *net = &shim->config->zlayer.network;
  struct zl_veth veth = {
    .link = net->link, .bridge = net->bridge, .address = ntohl(net->address.s_addr), .mtu = net->mtu
  };
  zl_autofd netns = -1;
  char path[48];
  int r;

  if (net->mode != ZL_NET_BRIDGE)
    return 0;
  if (shim->netns_fd >= 0)
    (void)zl_path_of_fd(shim->netns_fd, path); /* the container may not have joined it yet */
  else
    (void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)init->pid);
  netns = zl_fd_open(AT_FDCWD, path, O_RDONLY, 0);
  if (netns < 0)
    return zl_fail(err, ZL_E_SYSTEM, -netns, "the container's network namespace");
  veth.netns_fd = netns;
  r = zl_link_create_veth(&veth, err);
  shim->link_made = r == 0;
  return r < 0 ? zl_wrap(err, "joining bridge '%s'", net->bridge) : 0;
}

int network_configure(struct process_shim *shim, int proc_fd, struct zl_error *err)
{
  const struct zl_net_config *net = &shim->config->zlayer.network;
  struct zl_link_self self = { .address = ntohl(net->address.s_addr),
                               .prefix = net->prefix,
                               .gateway = ntohl(net->gateway.s_addr),
                               .mtu = net->mtu,
                               .proc_fd = proc_fd };

  switch (net->mode) {
  case ZL_NET_BRIDGE:
    return zl_link_configure_self(&self, err);
  case ZL_NET_NONE:
    return zl_link_lo_up(err);
  case ZL_NET_HOST:
  case ZL_NET_PATH:
    return 0;
  }
  return 0;
}

int network_stats(const struct process_shim *shim, uint64_t *ret_rx, uint64_t *ret_tx,
                  struct zl_error *err)
{
  if (!shim->link_made)
    return 0;
  return zl_link_stats(shim->config->zlayer.network.link, ret_rx, ret_tx, err);
}

int network_leave(struct process_shim *shim, struct zl_error *err)
{
  if (!shim->link_made)
    return 0;
  shim->link_made = false;
  return zl_link_set_down(shim->config->zlayer.network.link, err);
}
