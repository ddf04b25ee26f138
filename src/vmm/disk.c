/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"

enum {
  BLOCK = 64 << 10, /* copied at once where the kernel cannot copy by itself */
  STAT_BLOCK = 512  /* unit of st_blocks, whatever the file system's own is */
};

/* Between files of different file systems, or where there is no such call. */
static int copy_by_hand(int from_fd, int to_fd, off_t at, off_t end)
{
  zl_autofree char *block = malloc(BLOCK);

  if (block == NULL)
    return -ENOMEM;
  while (at < end) {
    size_t want = end - at < BLOCK ? (size_t)(end - at) : BLOCK;
    ssize_t n = pread(from_fd, block, want, at);

    if (n > 0)
      n = pwrite(to_fd, block, (size_t)n, at);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return n < 0 ? -errno : -EIO; /* it has become shorter */
    at += n;
  }
  return 0;
}

static int copy_extent(int from_fd, int to_fd, off_t at, off_t end)
{
  off_t in = at, out = at;

  while (in < end) {
    ssize_t n = copy_file_range(from_fd, &in, to_fd, &out, (size_t)(end - in), 0);

    if (n == 0 ||
        (n < 0 && (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP || errno == ENOSYS)))
      return copy_by_hand(from_fd, to_fd, in, end);
    if (n < 0 && errno != EINTR)
      return -errno;
  }
  return 0;
}

/* Walks over what is allocated; the rest of the new file is a hole already. */
static int copy_data(int from_fd, int to_fd, off_t size)
{
  off_t at = 0;

  while (at < size) {
    off_t data = lseek(from_fd, at, SEEK_DATA), hole;
    int r;

    if (data < 0)
      return errno == ENXIO ? 0 : -errno; /* only a hole is left */
    hole = lseek(from_fd, data, SEEK_HOLE);
    if (hole < 0)
      return -errno;
    r = copy_extent(from_fd, to_fd, data, hole < size ? hole : size);
    if (r < 0)
      return r;
    at = hole;
  }
  return 0;
}

static int fill(int from_fd, int to_fd)
{
  struct stat st;

  if (ioctl(to_fd, FICLONE, from_fd) == 0)
    return 0;
  if (fstat(from_fd, &st) < 0 || ftruncate(to_fd, st.st_size) < 0)
    return -errno;
  return copy_data(from_fd, to_fd, st.st_size);
}

int zl_disk_copy(int from_fd, int dir_fd, const char *name, int *ret_fd, struct zl_error *err)
{
  zl_autofd fd = name != NULL
                     ? zl_fd_open(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600)
                     : zl_fd_open(dir_fd, ".", O_RDWR | O_TMPFILE, 0600);
  const char *what = name != NULL ? name : "without a name";
  int r;

  if (fd < 0)
    return zl_fail(err, fd == -EEXIST ? ZL_E_CONFLICT : ZL_E_SYSTEM, -fd, "making disk '%s'", what);
  r = fill(from_fd, fd);
  if (r < 0) {
    if (name != NULL)
      (void)unlinkat(dir_fd, name, 0);
    return zl_fail(err, ZL_E_SYSTEM, -r, "copying disk '%s'", what);
  }
  *ret_fd = zl_steal_fd(&fd);
  return 0;
}

int zl_disk_allocated(int fd, uint64_t *ret, struct zl_error *err)
{
  struct stat st;

  if (fstat(fd, &st) < 0)
    return zl_fail_errno(err, "looking at a disk");
  *ret = (uint64_t)st.st_blocks * STAT_BLOCK;
  return 0;
}
