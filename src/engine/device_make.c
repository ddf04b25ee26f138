/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/device_make.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mountns.h"
#include "engine/mount_fd.h"

#define NAME "device"

static mode_t type_bits(const struct zl_device *device)
{
  return device->type == 'b' ? S_IFBLK : device->type == 'p' ? S_IFIFO : S_IFCHR;
}

/* Kernels before 6.15 copy a mount only where it is attached. */
static int make(void *ctx, int *ret_fd, struct zl_error *err)
{
  const struct zl_device *device = ctx;
  const dev_t number = device->type == 'p' ? 0 : makedev(device->major, device->minor);
  zl_autofd fs = -1;
  int r = zl_mount_fs("tmpfs", "zlayer", NULL, 0, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, &fs, err);

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
  struct zl_device copy = *device;
  int r = zl_mountns_run(NULL, 0, make, &copy, ret_fd, err);

  return r < 0 ? zl_wrap(err, "device '%s'", device->path) : 0;
}
