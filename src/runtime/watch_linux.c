/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "runtime/watch.h"

int zl_watch_open(struct zl_watch *watch, struct zl_error *err)
{
  watch->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  return watch->fd < 0 ? zl_fail_errno(err, "watching a directory") : 0;
}

int zl_watch_add(struct zl_watch *watch, int dir_fd, struct zl_error *err)
{
  char dir[ZL_FD_PATH];

  /* The end of a container: its exit record is renamed into place, or its keeper's death closes the
   * lock, which was open for writing. What a machine writes to its disk, whose name is gone, is
   * nobody's business. */
  return inotify_add_watch(watch->fd, zl_path_of_fd(dir_fd, dir),
                           IN_MODIFY | IN_CREATE | IN_MOVE | IN_CLOSE_WRITE | IN_MOVE_SELF |
                               IN_EXCL_UNLINK) < 0
             ? zl_fail_errno(err, "watching a directory")
             : 0;
}

void zl_watch_close(struct zl_watch *watch)
{
  zl_fd_closep(&watch->fd);
}

int zl_watch_wait(struct zl_watch *watch, int cancel_fd, int timeout_ms, bool *ret_cancelled,
                  struct zl_error *err)
{
  struct pollfd fds[] = { { .fd = watch->fd, .events = POLLIN },
                          { .fd = cancel_fd, .events = POLLIN } };
  char sink[4096];

  if (poll(fds, 2, timeout_ms) < 0 && errno != EINTR)
    return zl_fail_errno(err, "waiting for a change");
  *ret_cancelled = fds[1].revents != 0;
  while (read(watch->fd, sink, sizeof(sink)) > 0)
    ;
  return 0;
}
