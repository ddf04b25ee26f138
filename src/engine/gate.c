/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/gate.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "engine/sync.h"

enum {
  PATH_TEXT = 32
};

int zl_gate_make(int dir_fd, const char *name, int *ret_fd, struct zl_error *err)
{
  int fd;

  if (mkfifoat(dir_fd, name, 0600) < 0 || fchmodat(dir_fd, name, 0622, 0) < 0)
    return zl_fail_errno(err, "making the FIFO '%s'", name);
  fd = zl_fd_open(dir_fd, name, O_PATH | O_NOFOLLOW, 0);
  if (fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -fd, "opening the FIFO '%s'", name);
  *ret_fd = fd;
  return 0;
}

int zl_gate_wait(int gate_fd, int proc_fd, int *ret_fd, struct zl_error *err)
{
  char path[PATH_TEXT];
  int fd;

  (void)snprintf(path, sizeof(path), "self/fd/%d", gate_fd);
  do
    fd = zl_fd_open(proc_fd, path, O_WRONLY, 0);
  while (fd == -EINTR);
  if (fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -fd, "waiting for the start");
  *ret_fd = fd;
  return 0;
}

void zl_gate_report(int fd, const struct zl_error *failure)
{
  struct zl_sync_failure record;

  zl_sync_failure_set(&record, failure);
  (void)zl_fd_write_full(fd, &record, sizeof(record));
}

/* The end of the FIFO that is seen first may be that of the process dying at it. */
static int await_writer(int fd, int pidfd, struct zl_error *err)
{
  struct pollfd fds[] = { { .fd = fd, .events = POLLIN }, { .fd = pidfd, .events = POLLIN } };

  for (;;) {
    if (poll(fds, ZL_COUNT(fds), -1) < 0) {
      if (errno == EINTR)
        continue;
      return zl_fail_errno(err, "starting the container");
    }
    if (fds[0].revents != 0)
      return 0;
    if (fds[1].revents != 0)
      return zl_fail(err, ZL_E_CONFLICT, 0, "the container has ended before it was started");
  }
}

int zl_gate_open(int dir_fd, const char *name, int pidfd, struct zl_error *err)
{
  struct zl_sync_failure record = { 0 };
  zl_autofd fd = zl_fd_open(dir_fd, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW, 0);
  ssize_t n;
  int r;

  if (fd < 0)
    return zl_fail(err, fd == -ENOENT ? ZL_E_NOT_FOUND : ZL_E_SYSTEM, -fd, "the FIFO '%s'", name);
  r = await_writer(fd, pidfd, err);
  if (r < 0)
    return r;
  (void)unlinkat(dir_fd, name, 0);
  n = zl_fd_read_full(fd, &record, sizeof(record));
  if (n == 0)
    return 0;
  if (n != (ssize_t)sizeof(record))
    return zl_fail(err, ZL_E_SYSTEM, n < 0 ? (int)-n : 0, "the container broke off its start");
  return zl_sync_failure_get(&record, err);
}
