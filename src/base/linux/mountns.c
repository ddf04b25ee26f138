/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mountns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/kernel.h"

/* Between the caller and its helper. */
struct shared {
  int result, fd;
  struct zl_error err;
};

static int attach_all(const int *mounts, size_t n, struct zl_error *err)
{
  struct mount_attr attr = { .propagation = MS_PRIVATE };

  if (mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &attr, sizeof(attr)) < 0)
    return zl_fail_errno(err, "private mounts");
  for (size_t i = 0; i < n; i++)
    if (move_mount(mounts[i], "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
      return zl_fail_errno(err, "attaching a mount in a namespace of its own");
  return 0;
}

static int await(long pid)
{
  siginfo_t info;
  int r;

  do {
    r = waitid(P_PID, (id_t)pid, &info, WEXITED | __WALL);
  } while (r < 0 && errno == EINTR);
  return r;
}

int zl_mountns_run(const int *mounts, size_t n, zl_mountns_fn *fn, void *ctx, int *ret_fd,
                   struct zl_error *err)
{
  struct clone_args args = { .flags = CLONE_NEWNS | CLONE_FILES };
  struct shared *shared =
      mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  long pid;
  int r;

  if (shared == MAP_FAILED)
    return zl_fail_errno(err, "a mount namespace");
  *shared = (struct shared){ .result = -ZL_E_INTERNAL, .fd = -1 };
  pid = syscall(SYS_clone3, &args, sizeof(args));
  if (pid == 0) {
    r = attach_all(mounts, n, &shared->err);
    shared->result = r < 0 ? r : fn(ctx, &shared->fd, &shared->err);
    _exit(0);
  }
  if (pid < 0) {
    r = zl_fail_errno(err, "a process in a mount namespace of its own");
  } else {
    (void)await(pid);
    r = shared->result;
    *ret_fd = shared->fd;
    if (r < 0 && shared->err.code == ZL_OK)
      (void)zl_fail(&shared->err, ZL_E_INTERNAL, 0, "the helper for mounts ended early");
    if (r < 0 && err != NULL)
      *err = shared->err;
  }
  (void)munmap(shared, sizeof(*shared));
  return r;
}

bool zl_mountns_is_needed(void)
{
  return ZL_FAULT("mountns.needed") != 0 || !zl_kernel_is_from(6, 15);
}
