/* SPDX-License-Identifier: Apache-2.0
 *
 * Safe openers: what base/path.h promises, without links. What Linux resolves inside of the root,
 * Windows refuses: a reparse point is -ELOOP wherever it stands (base/win32/posix.h), so a layer, a
 * volume or a container can have none that anything of ours goes through.
 */
#include "base/path.h"

#include "base/cleanup.h"
#include "base/fd.h"

/* A path inside of a root may begin with slashes; ".." is refused by the walk. */
int zl_path_open_in_root(int root_fd, const char *path, int flags, mode_t mode)
{
  while (*path == '/')
    path++;
  return zl_fd_open(root_fd, *path != '\0' ? path : ".", flags | O_NOFOLLOW, mode);
}

int zl_path_open_beneath(int dirfd, const char *path, int flags, mode_t mode)
{
  return zl_fd_open(dirfd, path, flags | O_NOFOLLOW, mode);
}

/* Makes each directory of a relative path that is missing, the last one included. `skip`: what is
 * before it is there. */
static int make_each(int dirfd, const char *path, size_t skip, mode_t mode)
{
  zl_autofree char *copy = strdup(path);

  if (copy == NULL)
    return -ENOMEM;
  for (char *p = copy + skip;; p++) {
    char c = *p;

    if ((c != '/' && c != '\\' && c != '\0') || p == copy)
      continue;
    *p = '\0';
    if (mkdirat(dirfd, copy, mode) < 0 && errno != EEXIST)
      return -errno;
    *p = c;
    if (c == '\0')
      return 0;
  }
}

int zl_path_mkdirs_in_root(int root_fd, const char *path, mode_t mode)
{
  const int flags = O_PATH | O_DIRECTORY;
  int fd = zl_path_open_in_root(root_fd, path, flags, 0), r;

  if (fd != -ENOENT)
    return fd;
  while (*path == '/')
    path++;
  r = make_each(root_fd, path, 0, mode);
  return r < 0 ? r : zl_path_open_in_root(root_fd, path, flags, 0);
}

int zl_path_touch_in_root(int root_fd, const char *path, mode_t mode)
{
  const char *base = strrchr(path, '/');
  zl_autofree char *parent = NULL;
  zl_autofd dir = -1, made = -1;
  int fd = zl_path_open_in_root(root_fd, path, O_PATH, 0);

  if (fd != -ENOENT)
    return fd;
  base = base != NULL ? base + 1 : path;
  if (*base == '\0' || strcmp(base, ".") == 0 || strcmp(base, "..") == 0)
    return -EISDIR;
  parent = strndup(path, (size_t)(base - path));
  if (parent == NULL)
    return -ENOMEM;
  dir = zl_path_mkdirs_in_root(root_fd, parent, 0755);
  if (dir < 0)
    return dir;
  made = zl_path_open_in_root(dir, base, O_WRONLY | O_CREAT | O_EXCL, mode);
  return made < 0 ? made : zl_path_open_in_root(dir, base, O_PATH, 0);
}

/* Where the part of a path begins that can be made: behind the drive, or the share. */
static size_t past_root(const char *path)
{
  const char *p = path;

  if (p[0] != '\0' && p[1] == ':')
    p += 2;
  if ((p[0] == '\\' || p[0] == '/') && p[0] == p[1])
    for (int i = 0; i < 2; i++) {
      p += strspn(p, "\\/");
      p += strcspn(p, "\\/");
    }
  return (size_t)(p - path) + strspn(p, "\\/");
}

int zl_path_open_dir(int dirfd, const char *path, mode_t mode)
{
  int fd = zl_fd_open(dirfd, path, O_RDONLY | O_DIRECTORY, 0), r;

  if (fd != -ENOENT)
    return fd;
  r = make_each(dirfd, path, past_root(path), mode);
  return r < 0 ? r : zl_fd_open(dirfd, path, O_RDONLY | O_DIRECTORY, 0);
}

static bool is_slash(char c)
{
  return c == '\\' || c == '/';
}

/* "C:\x", or a share: "\\server\share". */
bool zl_path_is_absolute(const char *path)
{
  const bool letter = (path[0] >= 'a' && path[0] <= 'z') || (path[0] >= 'A' && path[0] <= 'Z');

  if (letter)
    return path[1] == ':' && is_slash(path[2]);
  return is_slash(path[0]) && is_slash(path[1]);
}
