/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/shim/control_reply.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/time.h"

int zl_control_connect(int dir_fd, int *ret_fd, struct zl_error *err)
{
  struct sockaddr_un addr = { .sun_family = AF_UNIX };
  zl_autofd fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

  if (fd < 0)
    return zl_fail_errno(err, "making a socket");
  /* An address has room for 107 bytes only, our directories may have longer paths. */
  (void)snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/control", dir_fd);
  if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0) {
    *ret_fd = zl_steal_fd(&fd);
    return 0;
  }
  if (errno == ENOENT || errno == ECONNREFUSED)
    return zl_fail(err, ZL_E_NOT_FOUND, 0, "its shim does not answer");
  return zl_fail_errno(err, "connecting to the shim");
}

int zl_control_send(int fd, json_t *request, const int *fds, size_t n_fds, struct zl_error *err)
{
  zl_autofree char *text = NULL;
  ssize_t n;
  int r = zl__control_render(request, &text, err);

  if (r < 0)
    return r;
  n = zl_fd_send(fd, text, strlen(text), fds, n_fds);
  if (n == -EPIPE || n == -ECONNRESET)
    return zl__control_gone(err);
  return n < 0 ? zl_fail(err, ZL_E_SYSTEM, (int)-n, "asking the shim") : 0;
}

/* Milliseconds for poll(2), rounded up so that a deadline is never missed by polling too early. */
static int time_left(uint64_t deadline_ns)
{
  uint64_t now = zl_time_boot(), left;

  if (deadline_ns == UINT64_MAX)
    return -1;
  left = deadline_ns > now ? (deadline_ns - now + ZL_NS_PER_MS - 1) / ZL_NS_PER_MS : 0;
  return left > INT32_MAX ? INT32_MAX : (int)left;
}

static int await(int fd, uint64_t deadline_ns, int cancel_fd, struct zl_error *err)
{
  struct pollfd fds[] = { { .fd = fd, .events = POLLIN }, { .fd = cancel_fd, .events = POLLIN } };

  for (;;) {
    int n = poll(fds, 2, time_left(deadline_ns));

    if (n < 0 && errno != EINTR)
      return zl_fail_errno(err, "waiting for the shim");
    if (n > 0 && fds[0].revents != 0)
      return 0;
    if (n > 0)
      return zl_fail(err, ZL_E_CANCELLED, 0, "cancelled");
    if (n == 0 && zl_time_boot() >= deadline_ns)
      return zl_fail(err, ZL_E_TIMEOUT, 0, "the shim has not answered in time");
  }
}

int zl_control_receive(int fd, uint64_t deadline_ns, int cancel_fd, json_t **ret, int *ret_fd,
                       struct zl_error *err)
{
  zl_autofree char *text = NULL;
  zl_autofd got = -1;
  size_t n_fds = 1;
  ssize_t n;
  int r = await(fd, deadline_ns, cancel_fd, err);

  if (r < 0)
    return r;
  text = malloc(ZL_MAX_CONTROL_MSG);
  if (text == NULL)
    return zl_fail_nomem(err, "reply of the shim");
  n = zl_fd_recv(fd, text, ZL_MAX_CONTROL_MSG, &got, &n_fds);
  if (n == 0 || n == -ECONNRESET)
    return zl__control_gone(err);
  if (n < 0)
    return zl_fail(err, ZL_E_SYSTEM, (int)-n, "listening to the shim");
  r = zl__control_understand(text, (size_t)n, ret, err);
  if (r == 0 && ret_fd != NULL)
    *ret_fd = n_fds > 0 ? zl_steal_fd(&got) : -1;
  return r;
}
