/* SPDX-License-Identifier: Apache-2.0
 *
 * Walks over whole directory trees of ours, whose content an image or container wrote: by
 * descriptor only, no links, no other file system.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/dir.h"
#include "base/fd.h"
#include "base/path.h"

static bool is_dot(const char *name)
{
  return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Opens (at, name) as a directory stream when it is a directory on device `dev` (0: any). */
static int open_stream(int at, const char *name, dev_t dev, DIR **ret, dev_t *ret_dev)
{
  struct stat st;
  zl_autofd fd = zl_fd_open(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);

  if (fd < 0)
    return fd;
  if (fstat(fd, &st) < 0)
    return -errno;
  if (dev != 0 && st.st_dev != dev)
    return -EXDEV;
  *ret = fdopendir(fd);
  if (*ret == NULL)
    return -errno;
  fd = -1;
  *ret_dev = st.st_dev;
  return 0;
}

/* A deep chain (an image may hold 1,000s of nested directories) must not exhaust stack or
 * descriptors: past this depth a subtree is moved up to the top and removed from there. */
enum {
  MAX_DEPTH = 64
};

struct removal {
  int top_fd; /* where deep subtrees are moved to */
  dev_t dev;
  unsigned moved;
  int first_error;
};

static void note_error(struct removal *rm, int os_error)
{
  if (rm->first_error == 0 && os_error != ENOENT)
    rm->first_error = -os_error;
}

static void remove_entry(struct removal *rm, int at, const char *name, unsigned depth);

static void remove_children(struct removal *rm, int at, const char *name, unsigned depth)
{
  zl_autodir *dir = NULL;
  struct dirent *e;
  dev_t dev;
  int r = open_stream(at, name, rm->dev, &dir, &dev);

  if (r < 0) {
    note_error(rm, -r);
    return;
  }
  rm->dev = dev;
  while ((e = readdir(dir)) != NULL)
    if (!is_dot(e->d_name))
      remove_entry(rm, dirfd(dir), e->d_name, depth);
}

static void remove_entry(struct removal *rm, int at, const char *name, unsigned depth)
{
  if (unlinkat(at, name, 0) == 0)
    return;
  if (errno != EISDIR && errno != EPERM) {
    note_error(rm, errno);
    return;
  }
  if (depth >= MAX_DEPTH) {
    char to[32];

    (void)snprintf(to, sizeof(to), ".deep-%u", rm->moved++);
    if (renameat(at, name, rm->top_fd, to) == 0)
      return; /* the next round finds it there, when the directories up to here are closed */
  }
  remove_children(rm, at, name, depth + 1);
  if (unlinkat(at, name, AT_REMOVEDIR) < 0)
    note_error(rm, errno);
}

int zl_path_remove_tree(int at, const char *name)
{
  struct removal rm = { .top_fd = -1 };
  zl_autofd top = -1;
  unsigned moved;

  if (unlinkat(at, name, 0) == 0 || errno == ENOENT)
    return 0;
  if (errno != EISDIR && errno != EPERM)
    return -errno;
  top = zl_fd_open(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
  if (top < 0)
    return top;
  rm.top_fd = top;
  do {
    moved = rm.moved;
    remove_children(&rm, at, name, 1);
  } while (rm.moved != moved);
  if (unlinkat(at, name, AT_REMOVEDIR) < 0)
    note_error(&rm, errno);
  return rm.first_error;
}

int zl_path_tree_usage(int at, const char *name, uint64_t *ret_bytes, uint64_t *ret_files)
{
  zl_autodir *dir = NULL;
  struct dirent *e;
  dev_t dev;
  int r = open_stream(at, name, 0, &dir, &dev);

  if (r < 0)
    return r;
  while ((e = readdir(dir)) != NULL) {
    struct stat st;

    if (is_dot(e->d_name) || fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
      continue;
    *ret_bytes += (uint64_t)st.st_blocks * 512;
    *ret_files += 1;
    if (S_ISDIR(st.st_mode) && st.st_dev == dev)
      (void)zl_path_tree_usage(dirfd(dir), e->d_name, ret_bytes, ret_files);
  }
  return 0;
}
