/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/console.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "engine/mount_fd.h"

enum {
  PTMX_MAJOR = 5,
  PTMX_MINOR = 2,
  DEFAULT_ROWS = 24,
  DEFAULT_COLS = 80
};

static int open_master(int root_fd, int *ret_fd, struct zl_error *err)
{
  zl_autofd fd = zl_path_open_in_root(root_fd, "/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW, 0);
  struct statfs fs;
  struct stat st;
  int unlocked = 0;

  if (fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -fd, "opening a terminal in the container's /dev/pts");
  if (fstatfs(fd, &fs) < 0 || fstat(fd, &st) < 0)
    return zl_fail_errno(err, "inspecting the container's /dev/pts");
  if (fs.f_type != DEVPTS_SUPER_MAGIC || !S_ISCHR(st.st_mode) ||
      st.st_rdev != makedev(PTMX_MAJOR, PTMX_MINOR))
    return zl_fail(err, ZL_E_INVALID, 0, "the container's /dev/pts is not a devpts");
  if (ioctl(fd, TIOCSPTLCK, &unlocked) < 0)
    return zl_fail_errno(err, "unlocking the terminal");
  *ret_fd = zl_steal_fd(&fd);
  return 0;
}

int zl_console_open(int root_fd, uint16_t rows, uint16_t cols, uid_t uid, struct zl_console *ret,
                    struct zl_error *err)
{
  struct winsize size = { .ws_row = rows != 0 ? rows : DEFAULT_ROWS,
                          .ws_col = cols != 0 ? cols : DEFAULT_COLS };
  zl_autofd master = -1, slave = -1;
  int r = open_master(root_fd, &master, err);

  if (r < 0)
    return r;
  slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (slave < 0)
    return zl_fail_errno(err, "opening the terminal's other end");
  if (ioctl(slave, TIOCSWINSZ, &size) < 0 || fchown(slave, uid, (gid_t)-1) < 0)
    return zl_fail_errno(err, "preparing the terminal");
  ret->master = zl_steal_fd(&master);
  ret->slave = zl_steal_fd(&slave);
  return 0;
}

int zl_console_bind(int root_fd, int slave, struct zl_error *err)
{
  zl_autofd target = zl_path_touch_in_root(root_fd, "/dev/console", 0600);
  zl_autofd mount = -1;
  int r;

  if (target < 0)
    return zl_fail(err, ZL_E_SYSTEM, -target, "making /dev/console in the container");
  r = zl_mount_clone(slave, "", false, &mount, err);
  if (r == 0)
    r = zl_mount_attach(mount, target, "/dev/console", err);
  return r;
}

int zl_console_control(int slave, struct zl_error *err)
{
  if (ioctl(slave, TIOCSCTTY, 0) < 0)
    return zl_fail_errno(err, "taking the terminal");
  return 0;
}
