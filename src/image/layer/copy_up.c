/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/copy_up.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/path.h"
#include "image/layer/lower.h"

enum {
  NAMES = 64 << 10, /* XATTR_LIST_MAX */
  COPY_AT_ONCE = 1 << 30
};

/* overlayfs' own marks describe the place of an object among the layers, not the object. */
static bool is_copied(const char *name)
{
  return strcmp(name, "security.capability") == 0 || strncmp(name, "user.", 5) == 0;
}

static int copy_xattrs(int from, int to, struct zl_error *err)
{
  zl_autofree char *names = malloc(NAMES);
  zl_autofree char *value = malloc(ZL_MAX_XATTR_VALUE);
  ssize_t len;

  if (names == NULL || value == NULL)
    return zl_fail_nomem(err, "extended attributes");
  len = flistxattr(from, names, NAMES);
  if (len < 0)
    return errno == EOPNOTSUPP ? 0 : zl_fail_errno(err, "listing extended attributes");
  for (const char *name = names; name < names + len; name += strlen(name) + 1) {
    ssize_t n;

    if (!is_copied(name))
      continue;
    n = fgetxattr(from, name, value, ZL_MAX_XATTR_VALUE);
    if (n < 0 || fsetxattr(to, name, value, (size_t)n, 0) < 0)
      return zl_fail_errno(err, "copying the extended attribute '%s'", name);
  }
  return 0;
}

static int copy_attrs(int from, int to, const struct stat *st, struct zl_error *err)
{
  const struct timespec times[2] = { st->st_atim, st->st_mtim };
  int r;

  if (fchown(to, st->st_uid, st->st_gid) < 0 || fchmod(to, st->st_mode & 07777) < 0)
    return zl_fail_errno(err, "copying owner and mode");
  r = copy_xattrs(from, to, err);
  if (r < 0)
    return r;
  return futimens(to, times) < 0 ? zl_fail_errno(err, "copying times") : 0;
}

/* The lower layer's object, now open for reading. */
static int reopen(int from, int flags)
{
  char path[ZL_FD_PATH];

  return zl_fd_open(AT_FDCWD, zl_path_of_fd(from, path), flags, 0);
}

int zl_copy_dir_attrs(int from, int to, struct zl_error *err)
{
  zl_autofd dir = -1;
  struct stat st;

  if (fstat(from, &st) < 0)
    return zl_fail_errno(err, "looking at a directory");
  if (!S_ISDIR(st.st_mode))
    return 0; /* the layer replaces something else by a directory: nothing to take over */
  dir = reopen(from, O_RDONLY | O_DIRECTORY);
  if (dir < 0) {
    int os_error = -dir;

    dir = -1;
    return zl_fail(err, ZL_E_SYSTEM, os_error, "opening a directory of a lower layer");
  }
  return copy_attrs(dir, to, &st, err);
}

static int copy_content(int from, int to, uint64_t size, struct zl_error *err)
{
  if (size == 0 || ioctl(to, FICLONE, from) == 0)
    return 0;
  for (uint64_t done = 0; done < size;) {
    ssize_t n = copy_file_range(from, NULL, to, NULL, COPY_AT_ONCE, 0);

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return zl_fail_errno(err, "copying a file of a lower layer");
    if (n == 0)
      return zl_fail(err, ZL_E_SYSTEM, EIO, "a file of a lower layer is shorter than its size");
    done += (uint64_t)n;
  }
  return 0;
}

static int copy_file(int from, const struct stat *st, int dirfd, const char *name,
                     struct zl_error *err)
{
  zl_autofd in = reopen(from, O_RDONLY);
  zl_autofd out = -1;
  int r;

  if (in < 0) {
    r = zl_fail(err, ZL_E_SYSTEM, -in, "opening a file of a lower layer");
    in = -1;
    return r;
  }
  out = zl_path_open_in_root(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
  if (out < 0) {
    r = zl_fail(err, ZL_E_SYSTEM, -out, "making a copy of a lower layer's file");
    out = -1;
    return r;
  }
  r = copy_content(in, out, (uint64_t)st->st_size, err);
  return r < 0 ? r : copy_attrs(in, out, st, err);
}

static int copy_symlink(int from, int dirfd, const char *name, struct zl_error *err)
{
  char target[ZL_MAX_LAYER_PATH + 1];
  ssize_t n = readlinkat(from, "", target, sizeof(target) - 1);

  if (n < 0)
    return zl_fail_errno(err, "reading a link of a lower layer");
  target[n] = '\0';
  return symlinkat(target, dirfd, name) < 0 ? zl_fail_errno(err, "copying a link") : 0;
}

/* By name, but the name was made a moment ago in a directory of ours. */
static int copy_attrs_at(const struct stat *st, int dirfd, const char *name, struct zl_error *err)
{
  const struct timespec times[2] = { st->st_atim, st->st_mtim };

  if (fchownat(dirfd, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
      (!S_ISLNK(st->st_mode) && fchmodat(dirfd, name, st->st_mode & 07777, 0) < 0) ||
      utimensat(dirfd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
    return zl_fail_errno(err, "copying the attributes of a lower layer's object");
  return 0;
}

int zl_copy_up(int from, int dirfd, const char *name, struct zl_error *err)
{
  struct stat st;
  int r = 0;

  if (fstat(from, &st) < 0)
    return zl_fail_errno(err, "looking at a lower layer's file");
  if (S_ISREG(st.st_mode))
    return copy_file(from, &st, dirfd, name, err);
  if (S_ISDIR(st.st_mode))
    return zl_fail(err, ZL_E_CORRUPT, 0, "a hard link's target is a directory");
  if (S_ISLNK(st.st_mode))
    r = copy_symlink(from, dirfd, name, err);
  else if (mknodat(dirfd, name, st.st_mode, st.st_rdev) < 0)
    r = zl_fail_errno(err, "copying a device or fifo");
  return r < 0 ? r : copy_attrs_at(&st, dirfd, name, err);
}

int zl_link_over(int target_dir, const char *target, int dirfd, const char *name,
                 struct zl_error *err)
{
  struct stat st;

  if (linkat(target_dir, target, dirfd, name, 0) == 0)
    return 0;
  if (errno != EEXIST || fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
    return zl_fail_errno(err, "making a hard link to a lower layer's file");
  if (!zl_is_whiteout(&st))
    return 0;
  if (unlinkat(dirfd, name, 0) < 0 || linkat(target_dir, target, dirfd, name, 0) < 0)
    return zl_fail_errno(err, "making a hard link to a lower layer's file");
  return 0;
}
