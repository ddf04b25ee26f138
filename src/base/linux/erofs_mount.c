/* SPDX-License-Identifier: Apache-2.0 */
#include "base/erofs_mount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"

enum {
  MAX_TRIES = 64, /* others may take the free device first */
  LOOP_PATH = 32
};

/* 0 or -errno. */
static int mount_source(const char *source, int *ret_fd)
{
  zl_autofd context = fsopen("erofs", FSOPEN_CLOEXEC);
  int fd;

  if (context < 0)
    return -errno;
  /* Without "ro" a device would be opened for writing, which ours is not. */
  if (fsconfig(context, FSCONFIG_SET_STRING, "source", source, 0) < 0 ||
      fsconfig(context, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0 ||
      fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
    return -errno;
  fd = fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOATIME);
  if (fd < 0)
    return -errno;
  *ret_fd = fd;
  return 0;
}

/* A device on the file that clears itself at its last close; -errno, -EBUSY: try again. */
static int attach_loop(int control, int file_fd, char path[LOOP_PATH], int *ret_fd)
{
  struct loop_config config = { .fd = (unsigned)file_fd,
                                .info.lo_flags =
                                    LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO };
  int number = ioctl(control, LOOP_CTL_GET_FREE);
  zl_autofd fd = -1;

  if (number < 0)
    return -errno;
  (void)snprintf(path, LOOP_PATH, "/dev/loop%d", number);
  fd = zl_fd_open(AT_FDCWD, path, O_RDONLY, 0);
  if (fd < 0) {
    int r = fd;

    fd = -1;
    return r;
  }
  if (ioctl(fd, LOOP_CONFIGURE, &config) < 0)
    return -errno;
  *ret_fd = zl_steal_fd(&fd);
  return 0;
}

static int mount_loop(int file_fd, int *ret_fd)
{
  int control = zl_fd_open(AT_FDCWD, "/dev/loop-control", O_RDWR, 0), r = -EBUSY;
  char path[LOOP_PATH];
  zl_autofd loop = -1;

  if (control < 0)
    return control;
  for (int i = 0; i < MAX_TRIES && r == -EBUSY; i++)
    r = attach_loop(control, file_fd, path, &loop);
  (void)close(control);
  return r < 0 ? r : mount_source(path, ret_fd);
}

int zl_erofs_mount(int file_fd, int *ret_fd, struct zl_error *err)
{
  char path[ZL_FD_PATH];
  int r = mount_source(zl_path_of_fd(file_fd, path), ret_fd);

  if (r == -ENODEV)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0, "this kernel has no EROFS");
  if (r == -ENOTBLK) {
    r = mount_loop(file_fd, ret_fd);
    if (r == -ENOENT || r == -ENXIO || r == -ENODEV)
      return zl_fail(err, ZL_E_UNSUPPORTED, -r,
                     "this kernel mounts no file as EROFS and has no loop devices");
  }
  if (r < 0)
    return zl_fail(err, r == -EINVAL || r == -EBADMSG ? ZL_E_CORRUPT : ZL_E_SYSTEM, -r,
                   "mounting an EROFS image");
  return 0;
}
