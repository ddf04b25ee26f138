/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/devices.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "engine/device_make.h"
#include "engine/mount_fd.h"
#include "engine/namespaces.h"

/* What the OCI runtime specification promises to every container. */
static const struct zl_device defaults[] = {
  { .path = "/dev/null", .type = 'c', .major = 1, .minor = 3, .mode = 0666 },
  { .path = "/dev/zero", .type = 'c', .major = 1, .minor = 5, .mode = 0666 },
  { .path = "/dev/full", .type = 'c', .major = 1, .minor = 7, .mode = 0666 },
  { .path = "/dev/random", .type = 'c', .major = 1, .minor = 8, .mode = 0666 },
  { .path = "/dev/urandom", .type = 'c', .major = 1, .minor = 9, .mode = 0666 },
  { .path = "/dev/tty", .type = 'c', .major = 5, .minor = 0, .mode = 0666 },
};

static const struct {
  const char *name, *target;
} links[] = {
  { "fd", "/proc/self/fd" },       { "stdin", "/proc/self/fd/0" }, { "stdout", "/proc/self/fd/1" },
  { "stderr", "/proc/self/fd/2" }, { "ptmx", "pts/ptmx" },
};

static const struct zl_device *device_at(const struct zl_engine_config *config, size_t i)
{
  return i < ZL_COUNT(defaults) ? &defaults[i] : &config->devices[i - ZL_COUNT(defaults)];
}

static mode_t type_bits(const struct zl_device *device)
{
  return device->type == 'b' ? S_IFBLK : device->type == 'p' ? S_IFIFO : S_IFCHR;
}

static bool is_device(int fd, const struct zl_device *device)
{
  struct stat st;

  return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == type_bits(device) &&
         (device->type == 'p' || st.st_rdev == makedev(device->major, device->minor));
}

/* Its ids are the container's; one that is not mapped is nobody's there, as root's of the host is.
 */
static uint32_t host_id(const struct zl_idmap *maps, size_t n, uint32_t id)
{
  int64_t host = zl_ns_host_id(maps, n, id);

  return host >= 0 ? (uint32_t)host : 0;
}

/* The host's own node where it has one of that name: who may use it is the host's to say. */
static int open_bind(const struct zl_engine_config *config, const struct zl_device *device,
                     int *ret_fd, struct zl_error *err)
{
  struct zl_device made = *device;
  zl_autofd fd = -1;
  int r = zl_mount_clone(AT_FDCWD, device->path, false, &fd, err);

  if (r == 0 && is_device(fd, device)) {
    *ret_fd = zl_steal_fd(&fd);
    return 0;
  }
  if (r < 0 && r != -ZL_E_NOT_FOUND)
    return r;
  made.uid = host_id(config->uid_maps, config->n_uid_maps, device->uid);
  made.gid = host_id(config->gid_maps, config->n_gid_maps, device->gid);
  return zl_device_make(&made, ret_fd, err);
}

int zl_device_binds_open(const struct zl_engine_config *config, struct zl_device_binds *ret,
                         struct zl_error *err)
{
  size_t count = ZL_COUNT(defaults) + config->n_devices;

  *ret = (struct zl_device_binds){ .fds = calloc(count, sizeof(*ret->fds)) };
  if (ret->fds == NULL)
    return zl_fail_nomem(err, "devices");
  for (; ret->count < count; ret->count++) {
    int r = open_bind(config, device_at(config, ret->count), &ret->fds[ret->count], err);

    if (r < 0)
      return r;
  }
  return 0;
}

void zl_device_binds_done(struct zl_device_binds *binds)
{
  for (size_t i = 0; i < binds->count; i++)
    (void)close(binds->fds[i]);
  free(binds->fds);
  *binds = (struct zl_device_binds){ 0 };
}

/* The directory that nodes are made in; most are in one. */
struct parent {
  int fd;           /* O_PATH; -1: none yet */
  const char *path; /* of the last node; its directory is the first `len` bytes */
  size_t len;
};

static void parent_done(struct parent *parent)
{
  zl_fd_closep(&parent->fd);
}

static int open_parent(int root_fd, const char *path, struct parent *parent, const char **ret_name,
                       struct zl_error *err)
{
  const char *slash = strrchr(path, '/');
  size_t len = slash != NULL ? (size_t)(slash - path) : 0;
  zl_autofree char *text = NULL;

  if (slash == NULL || !zl_path_is_name(slash + 1, NAME_MAX))
    return zl_fail(err, ZL_E_INVALID, 0, "device path '%s'", path);
  *ret_name = slash + 1;
  if (parent->fd >= 0 && len == parent->len && memcmp(path, parent->path, len) == 0)
    return 0;
  text = strndup(path, len);
  if (text == NULL)
    return zl_fail_nomem(err, "devices");
  zl_fd_closep(&parent->fd);
  parent->fd = zl_path_mkdirs_in_root(root_fd, text, 0755);
  parent->path = path;
  parent->len = len;
  return parent->fd < 0 ? zl_fail(err, ZL_E_SYSTEM, -zl_steal_fd(&parent->fd),
                                  "directory of device '%s'", path)
                        : 0;
}

static int make_node(int root_fd, const struct zl_device *device, struct parent *parent,
                     struct zl_error *err)
{
  dev_t number = device->type == 'p' ? 0 : makedev(device->major, device->minor);
  const char *name = NULL;
  int r = open_parent(root_fd, device->path, parent, &name, err);

  if (r < 0)
    return r;
  /* The umask is 0 here, so the mode is what was asked for. */
  r = mknodat(parent->fd, name, type_bits(device) | device->mode, number);
  if (r < 0 && errno == EEXIST && unlinkat(parent->fd, name, 0) == 0)
    r = mknodat(parent->fd, name, type_bits(device) | device->mode, number);
  if (r == 0 && (device->uid != 0 || device->gid != 0))
    r = fchownat(parent->fd, name, device->uid, device->gid, AT_SYMLINK_NOFOLLOW);
  return r < 0 ? zl_fail_errno(err, "making device '%s'", device->path) : 0;
}

static int bind_node(int root_fd, const struct zl_device *device, int mount_fd,
                     struct zl_error *err)
{
  zl_autofd target = zl_path_touch_in_root(root_fd, device->path, 0644);

  if (target < 0)
    return zl_fail(err, ZL_E_SYSTEM, -target, "target of device '%s'", device->path);
  return zl_mount_attach(mount_fd, target, device->path, err);
}

static int make_links(int root_fd, struct zl_error *err)
{
  zl_autofd dev = zl_path_open_in_root(root_fd, "/dev", O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);

  if (dev < 0)
    return zl_fail(err, ZL_E_SYSTEM, -dev, "the container's /dev");
  for (size_t i = 0; i < ZL_COUNT(links); i++)
    if (symlinkat(links[i].target, dev, links[i].name) < 0 && errno != EEXIST)
      return zl_fail_errno(err, "making the link /dev/%s", links[i].name);
  return 0;
}

int zl_devices_create(int root_fd, const struct zl_engine_config *config,
                      const struct zl_device_binds *binds, struct zl_error *err)
{
  ZL_CLEANUP(parent_done) struct parent parent = { .fd = -1 };
  size_t count = ZL_COUNT(defaults) + config->n_devices;
  mode_t old = umask(0);
  int r = 0;

  for (size_t i = 0; r == 0 && i < count; i++)
    r = binds->count > 0 ? bind_node(root_fd, device_at(config, i), binds->fds[i], err)
                         : make_node(root_fd, device_at(config, i), &parent, err);
  (void)umask(old);
  return r < 0 ? r : make_links(root_fd, err);
}
