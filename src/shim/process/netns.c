/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/process/netns.h"

#include <fcntl.h>
#include <sched.h>

#include "base/fd.h"
#include "net/linux/link.h"

#define OWN_NETNS "/proc/self/ns/net"

int netns_prepare(struct process_shim *shim, struct zl_error *err)
{
  zl_autofd host = zl_fd_open(AT_FDCWD, OWN_NETNS, O_RDONLY, 0), made = -1;
  int r;

  if (host < 0)
    return zl_fail(err, ZL_E_SYSTEM, -host, OWN_NETNS);
  if (unshare(CLONE_NEWNET) < 0)
    return zl_fail_errno(err, "making a network namespace");
  made = zl_fd_open(AT_FDCWD, OWN_NETNS, O_RDONLY, 0);
  r = zl_link_default_no_ipv6(err);
  if (setns(host, CLONE_NEWNET) < 0)
    return zl_fail_errno(err, "returning to the host's network namespace");
  if (r < 0)
    return r;
  if (made < 0)
    return zl_fail(err, ZL_E_SYSTEM, -made, OWN_NETNS);
  shim->netns_fd = zl_steal_fd(&made);
  return 0;
}
