/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mount_target.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "engine/mounts.h"

bool zl_mount_is_type(const struct zl_mount *m, const char *type)
{
  return !m->bind && m->type != NULL && strcmp(m->type, type) == 0;
}

/* Paths of ours: an image that makes them links would move what we put there. */
static bool must_be_directory(const struct zl_mount *m)
{
  return zl_mount_is_type(m, "proc") || zl_mount_is_type(m, "sysfs") ||
         strcmp(m->destination, "/dev") == 0;
}

/* What /proc says of processes is not for a document to change (CVE-2019-16884). */
static bool is_procfs(int fd)
{
  struct statfs fs;

  return fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

int zl_mount_target_open(const struct zl_mount *m, bool directory, int root_fd, int *ret_fd,
                         struct zl_error *err)
{
  zl_autofd at = -1;
  int fd = -1;

  if (must_be_directory(m))
    at = zl_path_open_in_root(root_fd, m->destination, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
  if (at == -ENOTDIR || at == -ELOOP)
    return zl_fail(err, ZL_E_INVALID, 0,
                   "it is no directory in the image, and must be mounted on ordinary directory");
  if (at >= 0 && directory)
    fd = zl_steal_fd(&at);
  else if (m->target_nofollow)
    fd = zl_path_open_in_root(root_fd, m->destination, O_PATH | O_NOFOLLOW, 0);
  if (fd >= 0 && m->target_nofollow && is_procfs(fd)) {
    (void)close(fd);
    return zl_fail(err, ZL_E_INVALID, 0, "dest-nofollow: not on a link of /proc");
  }
  if (fd < 0)
    fd = directory ? zl_path_mkdirs_in_root(root_fd, m->destination, 0755)
                   : zl_path_touch_in_root(root_fd, m->destination, 0644);
  if (fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -fd, "making the mount point");
  *ret_fd = fd;
  return 0;
}

int zl_mount_target_link(const struct zl_mount *m, const char *text, int root_fd,
                         struct zl_error *err)
{
  const char *name = strrchr(m->destination, '/') + 1;
  zl_autofree char *parent = strndup(m->destination, (size_t)(name - m->destination));
  char there[ZL_MOUNT_LINK_TEXT];
  zl_autofd dir = -1;
  ssize_t n;

  if (parent == NULL)
    return zl_fail_nomem(err, "mounts");
  dir = zl_path_mkdirs_in_root(root_fd, parent, 0755);
  if (dir < 0)
    return zl_fail(err, ZL_E_SYSTEM, -dir, "making the directory of the link");
  if (symlinkat(text, dir, name) == 0)
    return 0;
  n = errno == EEXIST ? readlinkat(dir, name, there, sizeof(there)) : -1;
  if (n == (ssize_t)strlen(text) && memcmp(there, text, (size_t)n) == 0)
    return 0;
  return zl_fail(err, ZL_E_SYSTEM, EEXIST, "making a link to '%s'", text);
}

static bool is_below(const char *path, const char *other)
{
  const size_t len = strlen(other);

  return strncmp(path, other, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

static bool is_in_root(const struct zl_engine_config *config, size_t i)
{
  for (size_t j = 0; j < i; j++)
    if (is_below(config->mounts[i].destination, config->mounts[j].destination))
      return false;
  return true;
}

static bool is_mapped(const struct zl_engine_config *config, uid_t uid)
{
  for (size_t i = 0; i < config->n_uid_maps; i++)
    if (uid >= config->uid_maps[i].host_id &&
        uid - config->uid_maps[i].host_id < config->uid_maps[i].size)
      return true;
  return false;
}

void zl_mounts_make_points(const struct zl_mounts *mounts, int root_fd)
{
  const struct zl_engine_config *config = mounts->config;
  struct stat st;

  if (config->n_uid_maps == 0 || fstat(root_fd, &st) < 0 || is_mapped(config, st.st_uid))
    return;
  for (size_t i = 0; i < config->n_mounts; i++) {
    const struct zl_mount *m = &config->mounts[i];
    zl_autofd fd = -1;

    if (m->remount || !is_in_root(config, i))
      continue;
    if (mounts->fds[i] >= 0 && fstat(mounts->fds[i], &st) < 0)
      continue;
    (void)zl_mount_target_open(m, mounts->fds[i] < 0 || S_ISDIR(st.st_mode), root_fd, &fd, NULL);
  }
}
