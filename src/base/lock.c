/* SPDX-License-Identifier: Apache-2.0 */
#include "base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/time.h"

enum {
  SPIN_NS = 150000,
  FIRST_STEP_NS = 50000,
  LAST_STEP_NS = 2000000
};

/* flock(2) has no timed wait; without a deadline we block in the kernel, with one we poll: at first
 * without sleep, since a holder that is about to exit needs some microseconds, and the shortest
 * sleep takes a hundred. */
static int take(int fd, uint64_t deadline)
{
  struct timespec step = { .tv_nsec = FIRST_STEP_NS };
  uint64_t spin_until = zl_time_boot() + SPIN_NS;

  for (;;) {
    uint64_t now;

    if (flock(fd, LOCK_EX | (deadline == UINT64_MAX ? 0 : LOCK_NB)) == 0)
      return 0;
    if (errno == EINTR)
      continue;
    if (errno != EWOULDBLOCK)
      return -errno;
    now = zl_time_boot();
    if (now >= deadline)
      return -EWOULDBLOCK;
    if (now < spin_until) {
      (void)sched_yield();
      continue;
    }
    (void)nanosleep(&step, NULL);
    step.tv_nsec = step.tv_nsec * 2 < LAST_STEP_NS ? step.tv_nsec * 2 : LAST_STEP_NS;
  }
}

/* The file may have been unlinked and made anew by the former holder. */
static bool still_named(int fd, int dirfd, const char *name)
{
  struct stat held, named;

  return fstat(fd, &held) == 0 && fstatat(dirfd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

static int acquire(int dirfd, const char *name, int flags, uint64_t timeout_ns, int *ret_fd,
                   struct zl_error *err)
{
  uint64_t start = zl_time_boot();
  uint64_t deadline = timeout_ns > UINT64_MAX - start ? UINT64_MAX : start + timeout_ns;

  for (;;) {
    zl_autofd fd = zl_fd_open(dirfd, name, O_RDWR | O_NOFOLLOW | flags, 0600);
    int r;

    if (fd < 0)
      return zl_fail(err, fd == -ENOENT && flags == 0 ? ZL_E_NOT_FOUND : ZL_E_SYSTEM, -fd,
                     "opening lock '%s'", name);
    r = take(fd, deadline);
    if (r == -EWOULDBLOCK)
      return zl_fail(err, timeout_ns == 0 ? ZL_E_CONFLICT : ZL_E_TIMEOUT, 0,
                     "lock '%s' is held by another process", name);
    if (r < 0)
      return zl_fail(err, ZL_E_SYSTEM, -r, "locking '%s'", name);
    if (still_named(fd, dirfd, name)) {
      *ret_fd = zl_steal_fd(&fd);
      return 0;
    }
  }
}

int zl_lock_acquire(int dirfd, const char *name, uint64_t timeout_ns, int *ret_fd,
                    struct zl_error *err)
{
  return acquire(dirfd, name, O_CREAT, timeout_ns, ret_fd, err);
}

int zl_lock_acquire_existing(int dirfd, const char *name, int *ret_fd, struct zl_error *err)
{
  return acquire(dirfd, name, 0, 0, ret_fd, err);
}

bool zl_lock_is_held(int dirfd, const char *name)
{
  zl_autofd fd = zl_fd_open(dirfd, name, O_RDONLY | O_NOFOLLOW, 0);

  if (fd < 0)
    return false;
  if (flock(fd, LOCK_SH | LOCK_NB) == 0)
    return false;
  return errno == EWOULDBLOCK;
}
