/* SPDX-License-Identifier: Apache-2.0 */
#include "base/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/strv.h"

/* openat2 answers EAGAIN when a rename raced with ".."; the kernel asks to try again. */
enum {
  LINK_TEXT = 4096, /* the kernel keeps no longer ones */
  MAX_TRIES = 128,
  MAX_LINKS = 8 /* dangling ones, each of which names another */
};

static int open2(int dirfd, const char *path, int flags, mode_t mode, uint64_t resolve)
{
  struct open_how how = { .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
                          .mode = (flags & (O_CREAT | O_TMPFILE)) ? mode : 0,
                          .resolve = resolve };
  long fd = -1;

  for (int i = 0; i < MAX_TRIES; i++) {
    fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
    if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
      break;
  }
  return fd < 0 ? -errno : (int)fd;
}

int zl_path_open_in_root(int root_fd, const char *path, int flags, mode_t mode)
{
  return open2(root_fd, *path != '\0' ? path : ".", flags, mode,
               RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

int zl_path_open_beneath(int dirfd, const char *path, int flags, mode_t mode)
{
  return open2(dirfd, path, flags, mode,
               RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV);
}

/* Copies the next component of *path to `name` and advances; 0 at the end, -errno when too long. */
static int next_component(const char **path, char name[NAME_MAX + 1])
{
  const char *p = *path;
  size_t len;

  while (*p == '/')
    p++;
  len = strcspn(p, "/");
  if (len > NAME_MAX)
    return -ENAMETOOLONG;
  memcpy(name, p, len);
  name[len] = '\0';
  *path = p + len;
  return len > 0;
}

/* Makes the last component alone, in its opened parent, by name: no link can be planted between. */
static int make_last(int root_fd, const char *path, mode_t mode)
{
  const int flags = O_PATH | O_DIRECTORY;
  const char *slash = strrchr(path, '/'), *base = slash != NULL ? slash + 1 : path;
  zl_autofree char *parent = strndup(path, (size_t)(base - path));
  zl_autofd dir = -1;

  if (parent == NULL)
    return -ENOMEM;
  if (*base == '\0' || strcmp(base, ".") == 0 || strcmp(base, "..") == 0)
    return -ENOENT;
  dir = zl_path_open_in_root(root_fd, parent, flags, 0);
  if (dir < 0)
    return dir;
  if (mkdirat(dir, base, mode) < 0 && errno != EEXIST)
    return -errno;
  return zl_path_open_in_root(dir, base, flags | O_NOFOLLOW, 0);
}

static int make_dirs(int root_fd, const char *path, mode_t mode, unsigned links);

/* (dir, name), at `prefix` from the root, is no directory: a link that names nothing yet is
 * followed by its text, from the root again. `rest` comes below it. */
static int follow_dangling(int root_fd, int dir, const char *name, const char *prefix,
                           const char *rest, mode_t mode, unsigned links)
{
  char target[LINK_TEXT];
  ssize_t n = readlinkat(dir, name, target, sizeof(target) - 1);
  zl_autofree char *path = NULL;

  if (n <= 0)
    return n < 0 && errno != EINVAL ? -errno : -ENOTDIR;
  if (links == 0)
    return -ELOOP;
  target[n] = '\0';
  if (target[0] == '/')
    path = zl_asprintf("%s%s", target, rest);
  else
    path = zl_asprintf("%.*s/%s%s", (int)(strrchr(prefix, '/') - prefix), prefix, target, rest);
  return path == NULL ? -ENOMEM : make_dirs(root_fd, path, mode, links - 1);
}

/* The longest existing prefix is resolved by the kernel with links kept inside the root. Where a
 * component is missing it is made in its opened parent, by name, so no link can be planted between.
 */
static int make_dirs(int root_fd, const char *path, mode_t mode, unsigned links)
{
  const int flags = O_PATH | O_DIRECTORY;
  char name[NAME_MAX + 1];
  zl_autofree char *prefix = NULL;
  size_t len = 0;
  const char *rest = path;
  zl_autofd dir = zl_path_open_in_root(root_fd, ".", flags, 0);
  int r;

  if (dir < 0)
    return dir;
  prefix = calloc(1, strlen(path) + 2);
  if (prefix == NULL)
    return -ENOMEM;
  while ((r = next_component(&rest, name)) > 0) {
    int child;

    prefix[len++] = '/';
    memcpy(prefix + len, name, strlen(name) + 1);
    len += strlen(name);
    child = zl_path_open_in_root(root_fd, prefix, flags, 0);
    if (child == -ENOENT) {
      if (mkdirat(dir, name, mode) < 0 && errno != EEXIST)
        return -errno;
      child = zl_path_open_in_root(dir, name, flags | O_NOFOLLOW, 0);
      if (child == -ENOTDIR || child == -ELOOP)
        return follow_dangling(root_fd, dir, name, prefix, rest, mode, links);
    }
    if (child < 0)
      return child;
    (void)close(dir);
    dir = child;
  }
  return r < 0 ? r : zl_steal_fd(&dir);
}

int zl_path_mkdirs_in_root(int root_fd, const char *path, mode_t mode)
{
  int fd = zl_path_open_in_root(root_fd, path, O_PATH | O_DIRECTORY, 0);

  /* It is there, as most are, or cannot be; or its parent is. */
  if (fd == -ENOENT)
    fd = make_last(root_fd, path, mode);
  return fd == -ENOENT ? make_dirs(root_fd, path, mode, MAX_LINKS) : fd;
}

static int touch(int root_fd, const char *path, mode_t mode, unsigned links);

/* (dir, base) below `parent` is a link that names nothing yet: what it names is made. */
static int touch_target(int root_fd, int dir, const char *parent, const char *base, mode_t mode,
                        unsigned links)
{
  char target[LINK_TEXT];
  ssize_t n = readlinkat(dir, base, target, sizeof(target) - 1);
  zl_autofree char *path = NULL;

  if (n <= 0 || links == 0)
    return n < 0 && errno != EINVAL ? -errno : -ELOOP;
  target[n] = '\0';
  path = zl_asprintf("%s%s", target[0] == '/' ? "" : parent, target);
  return path == NULL ? -ENOMEM : touch(root_fd, path, mode, links - 1);
}

static int touch(int root_fd, const char *path, mode_t mode, unsigned links)
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
  made = zl_path_open_in_root(dir, base, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
  if (made == -EEXIST)
    return touch_target(root_fd, dir, parent, base, mode, links);
  return made < 0 ? made : zl_path_open_in_root(dir, base, O_PATH | O_NOFOLLOW, 0);
}

int zl_path_touch_in_root(int root_fd, const char *path, mode_t mode)
{
  return touch(root_fd, path, mode, MAX_LINKS);
}

int zl_path_open_dir(int dirfd, const char *path, mode_t mode)
{
  zl_autofree char *copy = strdup(path);
  int fd;

  if (copy == NULL)
    return -ENOMEM;
  fd = zl_fd_open(dirfd, path, O_RDONLY | O_DIRECTORY, 0);
  if (fd != -ENOENT)
    return fd;
  for (char *p = copy + 1;; p++) {
    char c = *p;

    if (c != '/' && c != '\0')
      continue;
    *p = '\0';
    if (mkdirat(dirfd, copy, mode) < 0 && errno != EEXIST)
      return -errno;
    *p = c;
    if (c == '\0')
      break;
  }
  return zl_fd_open(dirfd, path, O_RDONLY | O_DIRECTORY, 0);
}

const char *zl_path_of_fd(int fd, char text[ZL_FD_PATH])
{
  (void)snprintf(text, ZL_FD_PATH, "/proc/self/fd/%d", fd);
  return text;
}

bool zl_path_is_absolute(const char *path)
{
  return path[0] == '/';
}
