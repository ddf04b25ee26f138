/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/handover.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>

#include "base/fd.h"
#include "net/linux/link.h"
#include "shim/shim.h"

#define OWN_NETNS "/proc/self/ns/net"

int handover_prepare_netns(struct shim *shim, struct zl_error *err)
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

int handover_await(struct shim *shim, int control_fd, struct zl_error *err)
{
  static const char request[] = "{\"op\":\"create\"}";
  char text[sizeof(request)];
  int fds[2] = { -1, -1 };
  size_t n_fds = ZL_COUNT(fds);
  ssize_t n = zl_fd_recv(control_fd, text, sizeof(text), fds, &n_fds);

  if (n == 0)
    return zl_fail(err, ZL_E_CANCELLED, 0, "the container is not wanted any more");
  if (n != (ssize_t)strlen(request) || memcmp(text, request, (size_t)n) != 0 || n_fds != 2) {
    for (size_t i = 0; i < n_fds; i++)
      zl_fd_closep(&fds[i]);
    return zl_fail(err, ZL_E_INVALID, 0, "the first message is %s with two descriptors", request);
  }
  shim->dir_fd = fds[0];
  shim->lock_fd = fds[1];
  return 0;
}
