/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/masks.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "engine/mount_fd.h"

enum {
  NULL_MAJOR = 1,
  NULL_MINOR = 3
};

/* The rest of a path that is "/proc" or below it (or /sys), however it is written; NULL: it is
 * elsewhere, or could lead out of there again. */
static const char *rest_below(const char *path, const char *name)
{
  const size_t len = strlen(name);

  while (*path == '/' || (path[0] == '.' && path[1] == '/'))
    path++;
  if (strncmp(path, name, len) != 0 || (path[len] != '/' && path[len] != '\0') ||
      strstr(path, "..") != NULL)
    return NULL;
  path += len;
  return path + strspn(path, "/");
}

static int open_shown(const struct zl_view *view, const char *path)
{
  const char *below_proc = rest_below(path, "proc"), *below_sys = rest_below(path, "sys");

  if (below_proc != NULL && view->proc_fd >= 0)
    return zl_path_open_in_root(view->proc_fd, below_proc, O_PATH | O_NOFOLLOW, 0);
  if (below_sys != NULL && view->sys_fd >= 0)
    return zl_path_open_in_root(view->sys_fd, below_sys, O_PATH | O_NOFOLLOW, 0);
  return zl_path_open_in_root(view->root_fd, path, O_PATH | O_NOFOLLOW, 0);
}

/* 1: open; 0: does not exist. */
static int open_target(const struct zl_view *view, const char *path, int *ret_fd,
                       struct stat *ret_st, struct zl_error *err)
{
  zl_autofd fd = open_shown(view, path);

  if (fd == -ENOENT || fd == -ENOTDIR)
    return 0;
  if (fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -fd, "'%s' in the container", path);
  if (fstat(fd, ret_st) < 0)
    return zl_fail_errno(err, "'%s' in the container", path);
  if (S_ISLNK(ret_st->st_mode))
    return zl_fail(err, ZL_E_INVALID, 0, "'%s' is a symbolic link in the container", path);
  *ret_fd = zl_steal_fd(&fd);
  return 1;
}

static int open_null(int root_fd, int *ret_fd, struct zl_error *err)
{
  zl_autofd fd = zl_path_open_in_root(root_fd, "/dev/null", O_PATH | O_NOFOLLOW, 0);
  struct stat st;

  if (fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -fd, "the container's /dev/null");
  if (fstat(fd, &st) < 0)
    return zl_fail_errno(err, "the container's /dev/null");
  if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(NULL_MAJOR, NULL_MINOR))
    return zl_fail(err, ZL_E_INVALID, 0, "the container's /dev/null is not the null device");
  *ret_fd = zl_steal_fd(&fd);
  return 0;
}

static int empty_dir(int *ret_fd, struct zl_error *err)
{
  const struct zl_fs_param params[] = { { "size", "0" }, { "nr_inodes", "1" }, { "mode", "0555" } };

  return zl_mount_fs("tmpfs", "tmpfs", params, ZL_COUNT(params),
                     MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
                     ret_fd, err);
}

/* What covers files and directories; each is made when first needed and copied for every use. */
struct covers {
  int null_fd, dir_fd;
};

static void covers_done(struct covers *covers)
{
  zl_fd_closep(&covers->null_fd);
  zl_fd_closep(&covers->dir_fd);
}

/* A tmpfs made for the first directory is attached there; copies of it serve the others. They are
 * taken from the mount itself: its path may lead elsewhere a moment later. */
static int cover_dir(const char *path, int target, struct covers *covers, struct zl_error *err)
{
  zl_autofd mount = -1;
  int r = covers->dir_fd < 0 ? empty_dir(&mount, err)
                             : zl_mount_clone(covers->dir_fd, "", false, &mount, err);

  if (r == 0)
    r = zl_mount_attach(mount, target, path, err);
  if (r == 0 && covers->dir_fd < 0)
    covers->dir_fd = zl_steal_fd(&mount);
  return r;
}

static int cover_file(int root_fd, const char *path, int target, struct covers *covers,
                      struct zl_error *err)
{
  zl_autofd mount = -1;
  int r = covers->null_fd < 0 ? open_null(root_fd, &covers->null_fd, err) : 0;

  if (r == 0)
    r = zl_mount_clone(covers->null_fd, "", false, &mount, err);
  if (r == 0)
    r = zl_mount_attach(mount, target, path, err);
  return r;
}

int zl_masks_hide(const struct zl_view *view, char *const *paths, struct zl_error *err)
{
  ZL_CLEANUP(covers_done) struct covers covers = { .null_fd = -1, .dir_fd = -1 };

  for (; *paths != NULL; paths++) {
    zl_autofd target = -1;
    struct stat st;
    int r = open_target(view, *paths, &target, &st, err);

    if (r > 0)
      r = S_ISDIR(st.st_mode) ? cover_dir(*paths, target, &covers, err)
                              : cover_file(view->root_fd, *paths, target, &covers, err);
    if (r < 0)
      return zl_wrap(err, "masking");
  }
  return 0;
}

int zl_masks_protect(const struct zl_view *view, char *const *paths, struct zl_error *err)
{
  for (; *paths != NULL; paths++) {
    zl_autofd target = -1, mount = -1;
    struct stat st;
    int r = open_target(view, *paths, &target, &st, err);

    if (r > 0)
      r = zl_mount_clone(target, "", true, &mount, err);
    if (r == 0 && mount >= 0)
      r = zl_mount_change(mount, true, MOUNT_ATTR_RDONLY, 0, 0, err);
    if (r == 0 && mount >= 0)
      r = zl_mount_attach(mount, target, *paths, err);
    if (r < 0)
      return zl_wrap(err, "making '%s' read-only", *paths);
  }
  return 0;
}
