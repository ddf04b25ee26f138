/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/hide_lower.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/dir.h"
#include "base/path.h"
#include "image/layer/layer_path.h"

int zl_mark_opaque(int dirfd, const char *path, struct zl_error *err)
{
  zl_autofd fd = zl_path_open_beneath(dirfd, path, O_RDONLY | O_DIRECTORY, 0);
  char quoted[ZL_LAYER_QUOTE];

  if (fd < 0) {
    int os_error = -fd;

    fd = -1;
    return zl_fail(err, ZL_E_SYSTEM, os_error, "opening opaque directory '%s'",
                   zl_layer_quote(path, quoted));
  }
  if (fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) < 0)
    return zl_fail_errno(err, "marking '%s' opaque", zl_layer_quote(path, quoted));
  return 0;
}

static int hide_name(int root_fd, const char *name, struct zl_error *err)
{
  struct stat st;

  if (mknodat(root_fd, name, S_IFCHR, makedev(0, 0)) == 0)
    return 0;
  if (errno != EEXIST || fstatat(root_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
    return zl_fail_errno(err, "hiding a name of a lower layer");
  return S_ISDIR(st.st_mode) ? zl_mark_opaque(root_fd, name, err) : 0;
}

static int hide_all(int root_fd, int lower_fd, struct zl_error *err)
{
  zl_autodir *dir = NULL;
  const struct dirent *e;
  int fd = zl_path_open_in_root(lower_fd, ".", O_RDONLY | O_DIRECTORY, 0), r = 0;

  if (fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -fd, "opening a lower layer");
  dir = fdopendir(fd);
  if (dir == NULL) {
    r = zl_fail_errno(err, "listing a lower layer");
    (void)close(fd);
    return r;
  }
  while (r == 0 && (e = readdir(dir)) != NULL)
    if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
      r = hide_name(root_fd, e->d_name, err);
  return r;
}

int zl_hide_lower(const struct zl_lower *lower, struct zl_error *err)
{
  zl_autofd root = zl_path_open_in_root(lower->layer_fd, ".", O_RDONLY | O_DIRECTORY, 0);
  struct stat st;
  int r = 0;

  if (root < 0) {
    int os_error = -root;

    root = -1;
    return zl_fail(err, ZL_E_SYSTEM, os_error, "opening the root of a layer");
  }
  if (fstat(root, &st) < 0)
    return zl_fail_errno(err, "looking at the root of a layer");
  for (size_t i = 0; i < lower->n && r == 0; i++)
    r = hide_all(root, lower->fds[i], err);
  if (r == 0 && futimens(root, (struct timespec[]){ st.st_atim, st.st_mtim }) < 0)
    r = zl_fail_errno(err, "setting the time of a layer's root");
  return r;
}
