/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/path.h"
#include "base/strv.h"
#include "engine/cgroup_mount.h"
#include "engine/mount_fd.h"
#include "engine/mount_options.h"
#include "engine/namespaces.h"
#include "engine/procfs.h"
#include "engine/tmpfs_copy.h"

enum {
  LINK_TEXT = 4096 /* what a link may say: PATH_MAX of the kernel */
};

static bool is_type(const struct zl_mount *m, const char *type)
{
  return !m->bind && m->type != NULL && strcmp(m->type, type) == 0;
}

static bool is_cgroup(const struct zl_mount *m)
{
  return is_type(m, "cgroup") || is_type(m, "cgroup2");
}

/* Paths of ours: an image that makes them links would move what we put there. */
static bool must_be_directory(const struct zl_mount *m)
{
  return is_type(m, "proc") || is_type(m, "sysfs") || strcmp(m->destination, "/dev") == 0;
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
  char text[LINK_TEXT];
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
  return !is_type(m, "proc") && !is_type(m, "sysfs") && !is_type(m, "mqueue");
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

/* Makes a link that says the same as the host's. */
static int make_link(const struct zl_mount *m, const char *text, int root_fd, struct zl_error *err)
{
  const char *name = strrchr(m->destination, '/') + 1;
  zl_autofree char *parent = strndup(m->destination, (size_t)(name - m->destination));
  char there[LINK_TEXT];
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

/* What /proc says of processes is not for a document to change (CVE-2019-16884). */
static bool is_procfs(int fd)
{
  struct statfs fs;

  return fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

/* A path that must be a directory is opened without following a link, which is refused; the image
 * may lack it. */
static int open_target(const struct zl_mount *m, bool directory, int root_fd, int *ret_fd,
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
  if (m->target_nofollow)
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
    (void)open_target(m, mounts->fds[i] < 0 || S_ISDIR(st.st_mode), root_fd, &fd, NULL);
  }
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

  if (!is_type(m, "tmpfs"))
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
    r = open_target(m, S_ISDIR(st.st_mode), root_fd, &target, err);
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
    r = make_link(m, mounts->links[i], root_fd, err);
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
    if (is_type(&config->mounts[i], type) && strcmp(config->mounts[i].destination, path) == 0)
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

int zl_mounts_find(const struct zl_engine_config *config, struct zl_view *view,
                   struct zl_error *err)
{
  int r = find_proc(config, view, err);

  return r == 0 ? find_sys(config, view, err) : r;
}
