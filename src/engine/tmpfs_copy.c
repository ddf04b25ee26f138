/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/tmpfs_copy.h"

#include <fcntl.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/dir.h"
#include "base/limits.h"
#include "base/path.h"

enum {
  COPY_AT_ONCE = 1 << 20
};

static int copy_dir(int from, int to, unsigned depth, struct zl_error *err);

/* One component in a directory that the image controls. */
static int open_in(int dir, const char *name, int flags, mode_t mode, int *ret_fd,
                   struct zl_error *err)
{
  int fd = zl_path_open_beneath(dir, name, flags | O_NOFOLLOW | O_NONBLOCK, mode);

  if (fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -fd, "copying '%s'", name);
  *ret_fd = fd;
  return 0;
}

static int copy_file(int from, int to, const char *name, struct zl_error *err)
{
  zl_autofd in = -1, out = -1;
  ssize_t n;
  int r = open_in(from, name, O_RDONLY, 0, &in, err);

  if (r == 0)
    r = open_in(to, name, O_WRONLY | O_CREAT | O_EXCL, 0600, &out, err);
  if (r < 0)
    return r;
  do
    n = sendfile(out, in, NULL, COPY_AT_ONCE);
  while (n > 0 || (n < 0 && errno == EINTR));
  return n < 0 ? zl_fail_errno(err, "copying '%s'", name) : 0;
}

static int copy_link(int from, int to, const char *name, struct zl_error *err)
{
  char target[ZL_MAX_LAYER_PATH + 1];
  ssize_t n = readlinkat(from, name, target, sizeof(target) - 1);

  if (n < 0)
    return zl_fail_errno(err, "reading the link '%s'", name);
  target[n] = '\0';
  if (symlinkat(target, to, name) < 0)
    return zl_fail_errno(err, "copying the link '%s'", name);
  return 0;
}

static int copy_below(int from, int to, const char *name, unsigned depth, struct zl_error *err)
{
  zl_autofd in = -1, out = -1;
  int r = open_in(from, name, O_RDONLY | O_DIRECTORY, 0, &in, err);

  if (r == 0 && mkdirat(to, name, 0700) < 0)
    return zl_fail_errno(err, "copying the directory '%s'", name);
  if (r == 0)
    r = open_in(to, name, O_RDONLY | O_DIRECTORY, 0, &out, err);
  return r == 0 ? copy_dir(in, out, depth + 1, err) : r;
}

/* Ownership first: it takes the set-id bits away. Times last: all else changes them. */
static int copy_attributes(int to, const char *name, const struct stat *st, struct zl_error *err)
{
  const struct timespec times[] = { st->st_atim, st->st_mtim };

  if (fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
    return zl_fail_errno(err, "owner of the copied '%s'", name);
  if (!S_ISLNK(st->st_mode) && fchmodat(to, name, st->st_mode & 07777, 0) < 0)
    return zl_fail_errno(err, "mode of the copied '%s'", name);
  if (utimensat(to, name, times, AT_SYMLINK_NOFOLLOW) < 0)
    return zl_fail_errno(err, "times of the copied '%s'", name);
  return 0;
}

static int copy_entry(int from, int to, const char *name, unsigned depth, struct zl_error *err)
{
  struct stat st;
  int r = 0;

  if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
    return zl_fail_errno(err, "inspecting '%s'", name);
  if (S_ISDIR(st.st_mode))
    r = copy_below(from, to, name, depth, err);
  else if (S_ISREG(st.st_mode))
    r = copy_file(from, to, name, err);
  else if (S_ISLNK(st.st_mode))
    r = copy_link(from, to, name, err);
  else if (mknodat(to, name, st.st_mode, st.st_rdev) < 0)
    r = zl_fail_errno(err, "copying the node '%s'", name);
  return r == 0 ? copy_attributes(to, name, &st, err) : r;
}

static bool is_dots(const char *name)
{
  return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int copy_dir(int from, int to, unsigned depth, struct zl_error *err)
{
  zl_autodir *dir = NULL;
  zl_autofd copy = fcntl(from, F_DUPFD_CLOEXEC, 3);
  const struct dirent *entry;
  int r = 0;

  if (depth > ZL_MAX_COPY_UP_DEPTH)
    return zl_fail(err, ZL_E_LIMIT, 0, "directories deeper than %d", ZL_MAX_COPY_UP_DEPTH);
  dir = copy >= 0 ? fdopendir(copy) : NULL;
  if (dir == NULL)
    return zl_fail_errno(err, "reading a directory");
  (void)zl_steal_fd(&copy);
  while (r == 0 && (errno = 0, entry = readdir(dir)) != NULL)
    if (!is_dots(entry->d_name))
      r = copy_entry(from, to, entry->d_name, depth, err);
  return r == 0 && errno != 0 ? zl_fail_errno(err, "reading a directory") : r;
}

int zl_tmpfs_copy(int from, int to, bool top, struct zl_error *err)
{
  zl_autofd in = -1, out = -1;
  struct stat st;
  int r = open_in(from, ".", O_RDONLY | O_DIRECTORY, 0, &in, err);

  if (r == 0)
    r = open_in(to, ".", O_RDONLY | O_DIRECTORY, 0, &out, err);
  if (r == 0)
    r = copy_dir(in, out, 0, err);
  if (r < 0 || !top)
    return r;
  if (fstat(in, &st) < 0 || fchown(out, st.st_uid, st.st_gid) < 0 ||
      fchmod(out, st.st_mode & 07777) < 0)
    return zl_fail_errno(err, "owner and mode of the copy");
  return 0;
}
