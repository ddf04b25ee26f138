/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/protect.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "engine/mount_fd.h"

#define SELF "/proc/self/exe"

static bool is_immutable(void)
{
  zl_autofd fd = zl_fd_open(AT_FDCWD, SELF, O_RDONLY, 0);
  int flags = 0;

  return fd >= 0 && ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 &&
         (flags & (FS_IMMUTABLE_FL | FS_VERITY_FL)) != 0;
}

static bool is_protected(void)
{
  struct statvfs fs;

  if (statvfs(SELF, &fs) == 0 && (fs.f_flag & ST_RDONLY) != 0)
    return true;
  /* ETXTBSY does not count: that is now. */
  return (faccessat(AT_FDCWD, SELF, W_OK, AT_EACCESS) < 0 && errno == EACCES) || is_immutable();
}

int oci_protect(char **argv, struct zl_error *err)
{
  zl_autofd fd = -1;
  int r;

  if (is_protected())
    return 0;
  r = zl_mount_clone(AT_FDCWD, SELF, false, &fd, err);
  if (r == 0)
    r = zl_mount_change(fd, false, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, 0, 0, err);
  if (r < 0)
    return zl_wrap(err, "protecting this program's file from containers");
  (void)syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
  return zl_fail_errno(err, "executing this program from a read-only mount");
}
