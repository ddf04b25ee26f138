/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/vm/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/lock.h"
#include "base/path.h"
#include "base/strv.h"
#include "runtime/vm/tool.h"

#define MKFS "/usr/sbin/mkfs.ext4"

/* The disk's first content: the upper directory becomes the container's "/", everybody in it must
 * be able to enter. */
static int make_content(int dir_fd, const char *name, struct zl_error *err)
{
  static const struct {
    const char *name;
    mode_t mode;
  } dirs[] = { { "upper", 0755 }, { "work", 0700 } };
  zl_autofd fd = -1;
  int os_error = zl_path_remove_tree(dir_fd, name);

  if (os_error < 0)
    return zl_fail(err, ZL_E_SYSTEM, -os_error, "removing '%s'", name);
  if (mkdirat(dir_fd, name, 0700) < 0)
    return zl_fail_errno(err, "making directory '%s'", name);
  fd = zl_fd_open(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
  if (fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -fd, "opening directory '%s'", name);
  for (size_t i = 0; i < ZL_COUNT(dirs); i++)
    if (mkdirat(fd, dirs[i].name, dirs[i].mode) < 0 ||
        fchmodat(fd, dirs[i].name, dirs[i].mode, 0) < 0)
      return zl_fail_errno(err, "making directory '%s'", dirs[i].name);
  return 0;
}

/* The disk goes with its container, so a journal and checksums would only cost (an emulated
 * processor computes them bit by bit); nobody needs reserved blocks or a reserve for growing.
 * uninit_bg leaves the inode tables as holes. */
static int format(int dir_fd, const char *content, int fd, struct zl_error *err)
{
  zl_autofree char *path = zl_asprintf("/proc/%d/fd/%d/%s", (int)getpid(), dir_fd, content);
  const char *const argv[] = { MKFS,
                               "-q",
                               "-F",
                               "-m",
                               "0",
                               "-O",
                               "^has_journal,^metadata_csum,uninit_bg,^resize_inode",
                               "-E",
                               "nodiscard,lazy_itable_init=1,root_owner=0:0",
                               "-d",
                               path,
                               "/proc/self/fd/3",
                               NULL };

  return path != NULL ? zl_vm_tool_run(argv, fd, "e2fsprogs", err)
                      : zl_fail_nomem(err, "scratch disk");
}

static int build(int dir_fd, uint64_t bytes, const char *name, struct zl_error *err)
{
  char temporary[ZL_VM_SCRATCH_NAME + 8], content[ZL_VM_SCRATCH_NAME + 8];
  zl_autofd fd = -1;
  int r;

  (void)snprintf(temporary, sizeof(temporary), "tmp-%s", name);
  (void)snprintf(content, sizeof(content), "tmp-%s.d", name);
  fd = zl_fd_open(dir_fd, temporary, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
  if (fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -fd, "creating '%s'", temporary);
  r = make_content(dir_fd, content, err);
  if (r == 0 && ftruncate(fd, (off_t)bytes) < 0)
    r = zl_fail_errno(err, "sizing the scratch disk");
  if (r == 0)
    r = format(dir_fd, content, fd, err);
  (void)zl_path_remove_tree(dir_fd, content);
  if (r == 0 && (fsync(fd) < 0 || renameat(dir_fd, temporary, dir_fd, name) < 0))
    r = zl_fail_errno(err, "writing '%s'", name);
  if (r < 0)
    (void)unlinkat(dir_fd, temporary, 0);
  return r;
}

int zl_vm_scratch_ensure(int dir_fd, uint64_t bytes, char name[ZL_VM_SCRATCH_NAME],
                         struct zl_error *err)
{
  zl_autofd lock = -1;
  int r;

  (void)snprintf(name, ZL_VM_SCRATCH_NAME, "%" PRIu64 ".ext4", bytes);
  if (faccessat(dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
    return 0;
  r = zl_lock_acquire(dir_fd, "lock", UINT64_MAX, &lock, err);
  if (r < 0 || faccessat(dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
    return r;
  r = build(dir_fd, bytes, name, err);
  return r < 0 && err != NULL ? zl_wrap(err, "making the scratch disk") : r;
}
