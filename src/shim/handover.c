/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/handover.h"

#include <string.h>

#include "base/fd.h"
#include "shim/shim.h"

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
