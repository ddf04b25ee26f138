/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/procfs.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "engine/mount_fd.h"

enum {
  PROC_ROOT_INO = 1
};

int zl_procfs_open(int *ret_fd, struct zl_error *err)
{
  return zl_mount_fs("proc", "proc", NULL, 0,
                     MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, ret_fd, err);
}

int zl_procfs_confine(int proc_fd, struct zl_error *err)
{
  const struct zl_fs_param pids = { "subset", "pid" };
  int r = zl_mount_reconfigure(proc_fd, &pids, 1, err);

  return r < 0 ? r : zl_mount_change(proc_fd, false, MOUNT_ATTR_RDONLY, 0, 0, err);
}

int zl_procfs_verify(int fd, const char *where, struct zl_error *err)
{
  struct statfs fs;
  struct stat st;

  if (fstatfs(fd, &fs) < 0 || fstat(fd, &st) < 0)
    return zl_fail_errno(err, "'%s'", where);
  if (fs.f_type != PROC_SUPER_MAGIC || st.st_ino != PROC_ROOT_INO)
    return zl_fail(err, ZL_E_INVALID, 0, "'%s' is not the root of a procfs", where);
  return 0;
}

int zl_procfs_write(int proc_fd, const char *path, const char *text, struct zl_error *err)
{
  /* /proc/self is a link, which the safe opener refuses; "thread-self" likewise. */
  zl_autofd fd = zl_path_open_beneath(proc_fd, path, O_WRONLY, 0);
  size_t len = strlen(text);
  ssize_t n;

  if (fd < 0) {
    int os_error = -fd;

    fd = -1;
    return zl_fail(err, os_error == ENOENT ? ZL_E_NOT_FOUND : ZL_E_SYSTEM, os_error,
                   "opening /proc/%s", path);
  }
  do
    n = write(fd, text, len);
  while (n < 0 && errno == EINTR);
  if (n < 0 || (size_t)n != len)
    return zl_fail(err, ZL_E_SYSTEM, n < 0 ? errno : EIO, "writing '%.64s' to /proc/%s", text,
                   path);
  return 0;
}
