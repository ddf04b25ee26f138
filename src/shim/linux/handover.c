/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/handover.h"

#include <string.h>
#include <sys/file.h>

#include "base/fd.h"
#include "base/lock.h"
#include "base/time.h"
#include "shim/shim.h"

enum {
  LOCK_PATIENCE_MS = 1000 /* whoever looks whether it is held holds it for a moment */
};

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

/* Who starts us may have taken the lock already and hand it over: then at no moment of a creation
 * is there a shim without its lock. The lock belongs to the open file, so taking it again through
 * the same one succeeds. */
int handover_lock(struct shim *shim, struct zl_error *err)
{
  if (shim->lock_fd < 0)
    return zl_lock_acquire(shim->dir_fd, "lock", LOCK_PATIENCE_MS * ZL_NS_PER_MS, &shim->lock_fd,
                           err);
  if (flock(shim->lock_fd, LOCK_EX | LOCK_NB) < 0)
    return zl_fail(err, ZL_E_CONFLICT, errno, "the lock handed over is held by another process");
  return 0;
}
