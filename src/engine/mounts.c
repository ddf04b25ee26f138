/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "base/strv.h"
#include "engine/cgroup_mount.h"
#include "engine/mount_fd.h"
#include "engine/mount_options.h"
#include "engine/mount_target.h"
#include "engine/namespaces.h"
#include "engine/tmpfs_copy.h"

static bool is_cgroup(const struct zl_mount *m)
{
  return zl_mount_is_type(m, "cgroup") || zl_mount_is_type(m, "cgroup2");
}

static int set_attributes(int fd, const struct zl_mount *m, struct zl_error *err)
{
  uint64_t kind = m->propagation & ~(unsigned long)MS_REC;
  int r = zl_mount_change(fd, false, m->attr_set, m->attr_clear, 0, err);

  if (r == 0)
    r = zl_mount_change(fd, true, m->rattr_set, m->rattr_clear, 0, err);
  if (r == 0 && kind != 0)
    r = zl_mount_change(fd, (m->propagation & MS_REC) != 0, 0, 0, kind, err);
  return r;
}

/* The maps of the mount itself, or those of the container's user namespace. */
static int map_ids(const struct zl_mount *m, const struct zl_engine_config *config, int fd,
                   struct zl_error *err)
{
  zl_autofd userns = -1;
  int r;

  if (m->n_uid_maps > 0)
    r = zl_ns_make_userns(m->uid_maps, m->n_uid_maps, m->gid_maps, m->n_gid_maps, &userns, err);
  else if (config->namespaces[ZL_NS_USER].present)
    r = zl_ns_open_userns(config, &userns, err);
  else
    r = zl_fail(err, ZL_E_INVALID, 0,
                "mapped ids need mappings, or a user namespace that has some");
  return r == 0 ? zl_mount_map_ids(fd, m->idmap_recursive, userns, err) : r;
}

static int open_bind(const struct zl_mount *m, const struct zl_engine_config *config, int *ret_fd,
                     struct zl_error *err)
{
  zl_autofd fd = -1;
  int r;

  if (m->source == NULL)
    return zl_fail(err, ZL_E_INVALID, 0, "mount on '%s' has no source", m->destination);
  r = m->source_nofollow ? zl_mount_clone_link(m->source, &fd, err)
                         : zl_mount_clone(AT_FDCWD, m->source, m->recursive, &fd, err);
  if (r == 0 && m->propagation == 0)
    r = zl_mount_change(fd, true, 0, 0, MS_PRIVATE, err);
  if (r == 0 && m->idmap)
    r = map_ids(m, config, fd, err);
  if (r == 0)
    r = set_attributes(fd, m, err);
  if (r < 0)
    return zl_wrap(err, "mount on '%s'", m->destination);
  *ret_fd = zl_steal_fd(&fd);
  return 0;
}

/* *ret stays NULL when the source is no link. */
static int read_link(const struct zl_mount *m, char **ret, struct zl_error *err)
{
  char text[ZL_MOUNT_LINK_TEXT];
  ssize_t n = readlink(m->source, text, sizeof(text));

  if (n < 0 && errno == EINVAL)
    return 0;
  if (n < 0 || n == sizeof(text))
    return zl_fail(err, ZL_E_SYSTEM, n < 0 ? errno : ENAMETOOLONG, "mount on '%s': '%s'",
                   m->destination, m->source);
  *ret = strndup(text, (size_t)n);
  return *ret != NULL ? 0 : zl_fail_nomem(err, "mounts");
}

int zl_mounts_open_binds(const struct zl_engine_config *config, struct zl_mounts *ret,
                         struct zl_error *err)
{
  *ret = (struct zl_mounts){ .config = config };
  if (config->n_mounts == 0)
    return 0;
  ret->fds = malloc(config->n_mounts * sizeof(*ret->fds));
  ret->links = calloc(config->n_mounts, sizeof(*ret->links));
  if (ret->fds == NULL || ret->links == NULL) {
    free(zl_steal_ptr(&ret->fds));
    return zl_fail_nomem(err, "mounts");
  }
  for (size_t i = 0; i < config->n_mounts; i++)
    ret->fds[i] = -1;
  for (size_t i = 0; i < config->n_mounts; i++) {
    const struct zl_mount *m = &config->mounts[i];
    int r = m->copy_link ? read_link(m, &ret->links[i], err) : 0;

    if (r == 0 && m->bind && !m->remount && ret->links[i] == NULL)
      r = open_bind(m, config, &ret->fds[i], err);
    if (r < 0)
      return r;
  }
  return 0;
}

void zl_mounts_done(struct zl_mounts *mounts)
{
  for (size_t i = 0; mounts->fds != NULL && i < mounts->config->n_mounts; i++)
    zl_fd_closep(&mounts->fds[i]);
  for (size_t i = 0; mounts->links != NULL && i < mounts->config->n_mounts; i++)
    free(mounts->links[i]);
  zl_cgroup_views_done(&mounts->cgroups);
  free(zl_steal_ptr(&mounts->fds));
  free(zl_steal_ptr(&mounts->links));
}

/* Those that the policy labels by itself are left to it. */
static bool takes_label(const struct zl_mount *m)
{
  return !zl_mount_is_type(m, "proc") && !zl_mount_is_type(m, "sysfs") &&
         !zl_mount_is_type(m, "mqueue");
}

static bool is_new(const struct zl_mount *m)
{
  return !m->bind && !m->remount && !is_cgroup(m);
}

/* Mount points and devices are made in them first: zl_mounts_finish. */
static uint64_t first_attributes(const struct zl_mount *m)
{
  return (m->attr_set | m->rattr_set) & ~(uint64_t)MOUNT_ATTR_RDONLY;
}

/* A sysfs belongs to a network namespace; the host's own cannot be mounted anew from inside a user
 * namespace, but copied. */
static int open_new(const struct zl_mount *m, const char *label, int *ret_fd, struct zl_error *err)
{
  zl_autofsparams params = { 0 };
  int r;

  if (m->type == NULL)
    return zl_fail(err, ZL_E_INVALID, 0, "it has neither a type nor the option bind");
  r = zl_fs_params_split(m->fs_options, &params, err);
  if (r == 0 && label != NULL && takes_label(m))
    params.items[params.n++] = (struct zl_fs_param){ .key = "context", .value = label };
  if (r == 0)
    r = zl_mount_fs(m->type, m->source != NULL ? m->source : m->type, params.items, params.n,
                    first_attributes(m), ret_fd, err);
  if (r < 0 && err->os_error == EPERM && strcmp(m->type, "sysfs") == 0) {
    r = zl_mount_clone(AT_FDCWD, "/sys", true, ret_fd, err);
    if (r == 0)
      r = zl_mount_change(*ret_fd, true, first_attributes(m), 0, MS_PRIVATE, err);
  }
  return r;
}

int zl_mounts_open_new(struct zl_mounts *mounts, int proc_fd, struct zl_error *err)
{
  const bool has_cgroupns = mounts->config->namespaces[ZL_NS_CGROUP].present;

  for (size_t i = 0; i < mounts->config->n_mounts; i++) {
    const struct zl_mount *m = &mounts->config->mounts[i];
    int r = 0;

    if (m->bind || m->remount)
      continue;
    if (!is_cgroup(m))
      r = open_new(m, mounts->config->mount_label, &mounts->fds[i], err);
    else if (!has_cgroupns && mounts->cgroups.n == 0)
      r = zl_cgroup_views_open(m, proc_fd, &mounts->cgroups, err);
    if (r < 0)
      return zl_wrap(err, "mount on '%s'", m->destination);
  }
  return 0;
}

static int remount(const struct zl_mount *m, int root_fd, struct zl_error *err)
{
  zl_autofd target = zl_path_open_in_root(root_fd, m->destination, O_PATH, 0);

  if (target < 0)
    return zl_fail(err, ZL_E_SYSTEM, -target, "opening it");
  if (!m->bind && m->fs_options[0] != NULL) {
    zl_autofsparams params = { 0 };
    int r = zl_fs_params_split(m->fs_options, &params, err);

    if (r == 0)
      r = zl_mount_reconfigure(target, params.items, params.n, err);
    if (r < 0)
      return r;
  }
  return set_attributes(target, m, err);
}

/* What is copied is written before the mount becomes read-only: zl_mounts_finish. */
static int copy_up(const struct zl_mount *m, int fd, int target, struct zl_error *err)
{
  bool has_mode = false;

  for (size_t i = 0; m->fs_options[i] != NULL; i++)
    has_mode = has_mode || zl_has_prefix(m->fs_options[i], "mode=");
  return zl_tmpfs_copy(target, fd, !has_mode, err);
}

/* A tmpfs on a directory looks like it, unless the options say otherwise: /tmp is open to all
 * without a "mode=1777" in every document. A directory that is made only for it says nothing. */
static int find_mode(const struct zl_mount *m, int root_fd, mode_t *ret)
{
  zl_autofd at = -1;
  struct stat st;

  if (!zl_mount_is_type(m, "tmpfs"))
    return 0;
  for (char **option = m->fs_options; *option != NULL; option++)
    if (zl_has_prefix(*option, "mode="))
      return 0;
  at = zl_path_open_in_root(root_fd, m->destination, O_PATH | O_DIRECTORY, 0);
  if (at < 0 || fstat(at, &st) < 0)
    return 0;
  *ret = st.st_mode & 07777;
  return 1;
}

static int set_mode(int mount_fd, mode_t mode, struct zl_error *err)
{
  zl_autofd dir = zl_path_open_in_root(mount_fd, ".", O_RDONLY | O_DIRECTORY, 0);

  if (dir < 0 || fchmod(dir, mode) < 0)
    return zl_fail_errno(err, "setting its mode");
  return 0;
}

static int attach(const struct zl_mount *m, int fd, int root_fd, struct zl_error *err)
{
  zl_autofd target = -1;
  mode_t mode = 0;
  bool has_mode = find_mode(m, root_fd, &mode) > 0;
  struct stat st;
  int r;

  if (fstat(fd, &st) < 0)
    return zl_fail_errno(err, "inspecting the mount");
  r = has_mode ? set_mode(fd, mode, err) : 0;
  if (r == 0)
    r = zl_mount_target_open(m, S_ISDIR(st.st_mode), root_fd, &target, err);
  if (r == 0 && m->copy_up)
    r = copy_up(m, fd, target, err);
  if (r == 0)
    r = zl_mount_attach(fd, target, m->destination, err);
  /* A new file system was made with what is to be set, and nothing more can be cleared. */
  if (r == 0 && !m->bind && m->propagation != 0)
    r = zl_mount_change(fd, (m->propagation & MS_REC) != 0, 0, 0,
                        m->propagation & ~(unsigned long)MS_REC, err);
  return r;
}

int zl_mounts_attach(struct zl_mounts *mounts, size_t i, int root_fd, int proc_fd,
                     struct zl_error *err)
{
  const struct zl_mount *m = &mounts->config->mounts[i];
  int r;

  if (mounts->links[i] != NULL)
    r = zl_mount_target_link(m, mounts->links[i], root_fd, err);
  else if (m->remount)
    r = remount(m, root_fd, err);
  else if (is_cgroup(m))
    r = zl_cgroup_mount(m, root_fd, proc_fd, &mounts->cgroups, err);
  else
    r = attach(m, mounts->fds[i], root_fd, err);
  if (!is_new(m) || ((m->attr_set | m->rattr_set) & MOUNT_ATTR_RDONLY) == 0)
    zl_fd_closep(&mounts->fds[i]);
  return r < 0 ? zl_wrap(err, "mount on '%s'", m->destination) : 0;
}

int zl_mounts_finish(struct zl_mounts *mounts, struct zl_error *err)
{
  for (size_t i = 0; i < mounts->config->n_mounts; i++) {
    if (mounts->fds[i] < 0)
      continue;
    if (zl_mount_change(mounts->fds[i], false, MOUNT_ATTR_RDONLY, 0, 0, err) < 0)
      return zl_wrap(err, "mount on '%s'", mounts->config->mounts[i].destination);
    zl_fd_closep(&mounts->fds[i]);
  }
  return 0;
}

bool zl_mounts_has_foreign_dev(const struct zl_engine_config *config)
{
  for (size_t i = 0; i < config->n_mounts; i++)
    if (config->mounts[i].bind && strcmp(config->mounts[i].destination, "/dev") == 0)
      return true;
  return false;
}
