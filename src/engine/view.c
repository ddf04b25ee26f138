/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/view.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/fd.h"
#include "base/path.h"
#include "engine/mount_target.h"
#include "engine/procfs.h"

/* The image's own directory, or what a link of it leads to, is none that anybody asked for. */
static int is_mount_point(int fd, int root_fd, const char *path, bool *ret, struct zl_error *err)
{
  struct statx here, root;

  if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &here) < 0 ||
      statx(root_fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &root) < 0)
    return zl_fail_errno(err, "the container's %s", path);
  *ret = here.stx_mnt_id != root.stx_mnt_id;
  return 0;
}

static bool is_asked_for(const struct zl_engine_config *config, const char *type, const char *path)
{
  for (size_t i = 0; i < config->n_mounts; i++)
    if (zl_mount_is_type(&config->mounts[i], type) &&
        strcmp(config->mounts[i].destination, path) == 0)
      return true;
  return false;
}

/* *ret_mounted: something is mounted there, or should be. */
static int open_shown(const struct zl_engine_config *config, int root_fd, const char *type,
                      const char *path, int *ret_fd, bool *ret_mounted, struct zl_error *err)
{
  zl_autofd fd = zl_path_open_in_root(root_fd, path, O_PATH | O_NOFOLLOW, 0);
  bool mounted = is_asked_for(config, type, path);
  int r = 0;

  if (fd < 0 && (fd != -ENOENT || mounted))
    return zl_fail(err, ZL_E_SYSTEM, -fd, "the container's %s", path);
  if (fd >= 0 && !mounted)
    r = is_mount_point(fd, root_fd, path, &mounted, err);
  if (r < 0)
    return r;
  *ret_mounted = mounted;
  *ret_fd = zl_steal_fd(&fd);
  return 0;
}

static int find_proc(const struct zl_engine_config *config, struct zl_view *view,
                     struct zl_error *err)
{
  zl_autofd fd = -1;
  bool mounted = false;
  int r = open_shown(config, view->root_fd, "proc", "/proc", &fd, &mounted, err);

  if (r < 0 || !mounted)
    return r;
  r = zl_procfs_verify(fd, "/proc", err);
  if (r == 0)
    view->proc_fd = zl_steal_fd(&fd);
  return r;
}

/* Other file systems may be there on purpose. */
static int find_sys(const struct zl_engine_config *config, struct zl_view *view,
                    struct zl_error *err)
{
  zl_autofd fd = -1;
  bool mounted = false;
  struct statfs fs;
  int r = open_shown(config, view->root_fd, "sysfs", "/sys", &fd, &mounted, err);

  if (r < 0 || !mounted)
    return r;
  if (fstatfs(fd, &fs) < 0)
    return zl_fail_errno(err, "the container's /sys");
  if (fs.f_type == SYSFS_MAGIC)
    view->sys_fd = zl_steal_fd(&fd);
  else if (is_asked_for(config, "sysfs", "/sys"))
    return zl_fail(err, ZL_E_INVALID, 0, "'/sys' is not a sysfs");
  return 0;
}

int zl_view_find(const struct zl_engine_config *config, struct zl_view *view, struct zl_error *err)
{
  int r = find_proc(config, view, err);

  return r == 0 ? find_sys(config, view, err) : r;
}
