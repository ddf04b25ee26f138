/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/device_make.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "engine/child.h"
#include "engine/mount_fd.h"

#define NAME "device"

/* Between the runtime and its helper. */
struct shared {
  int result, fd;
  struct zl_error err;
};

static mode_t type_bits(const struct zl_device *device)
{
  return device->type == 'b' ? S_IFBLK : device->type == 'p' ? S_IFIFO : S_IFCHR;
}

static int make_private(struct zl_error *err)
{
  zl_autofd root = zl_fd_open(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0);

  if (root < 0)
    return zl_fail(err, ZL_E_SYSTEM, -root, "private mounts");
  return zl_mount_change(root, true, 0, 0, MS_PRIVATE, err);
}

/* Kernels before 6.15 copy a mount only where it is attached: in a namespace that is gone as soon
 * as the helper is. */
static int make(const struct zl_device *device, int *ret_fd, struct zl_error *err)
{
  const dev_t number = device->type == 'p' ? 0 : makedev(device->major, device->minor);
  zl_autofd fs = -1;
  int r = make_private(err);

  if (r == 0)
    r = zl_mount_fs("tmpfs", "zlayer", NULL, 0, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, &fs, err);
  if (r < 0)
    return r;
  if (move_mount(fs, "", -1, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
    return zl_fail_errno(err, "attaching a tmpfs");
  (void)umask(0);
  if (mknodat(fs, NAME, type_bits(device) | device->mode, number) < 0 ||
      fchownat(fs, NAME, device->uid, device->gid, AT_SYMLINK_NOFOLLOW) < 0 ||
      fchmodat(fs, NAME, device->mode, 0) < 0)
    return zl_fail_errno(err, "making it");
  return zl_mount_clone(fs, NAME, false, ret_fd, err);
}

int zl_device_make(const struct zl_device *device, int *ret_fd, struct zl_error *err)
{
  struct shared *shared =
      mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  struct zl_child child = { .pidfd = -1 };
  siginfo_t info = { 0 };
  int r;

  if (shared == MAP_FAILED)
    return zl_fail_errno(err, "device '%s'", device->path);
  *shared = (struct shared){ .result = -ZL_E_INTERNAL, .fd = -1 };
  /* It shares the table of descriptors: what it opens is ours. */
  r = zl_child_clone(CLONE_NEWNS | CLONE_FILES, -1, &child, err);
  if (r == 0) {
    shared->result = make(device, &shared->fd, &shared->err);
    _exit(0);
  }
  if (r > 0) {
    (void)waitid(P_PIDFD, (id_t)child.pidfd, &info, WEXITED | WNOWAIT);
    zl_child_kill(&child);
    r = shared->result;
    *ret_fd = shared->fd;
    if (r < 0 && err != NULL)
      *err = shared->err;
  }
  (void)munmap(shared, sizeof(*shared));
  return r < 0 ? zl_wrap(err, "device '%s'", device->path) : 0;
}
