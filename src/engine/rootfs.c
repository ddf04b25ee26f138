/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/rootfs.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/erofs_mount.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/mountns.h"
#include "base/path.h"
#include "engine/mount_fd.h"

enum {
  FSCONFIG_STRING_MAX = 255 /* the kernel copies at most 256 bytes with the NUL */
};

/* Open until the overlay is mounted: before Linux 6.5 only that resolves the paths. */
struct layer_fds {
  int fds[ZL_MAX_LAYERS];
  bool is_image[ZL_MAX_LAYERS];
  size_t count, images; /* of these, EROFS images */
  int dir;              /* a detached mount of the writable directory where that is needed, or -1 */
  int upper, work;      /* -1: not writable */
};

static void close_layers(struct layer_fds *layers)
{
  for (size_t i = 0; i < layers->count; i++)
    (void)close(layers->fds[i]);
  layers->count = 0;
  zl_fd_closep(&layers->dir);
  zl_fd_closep(&layers->upper);
  zl_fd_closep(&layers->work);
}

static int open_directory(int dirfd, const char *path, int *ret_fd, struct zl_error *err)
{
  int fd = zl_fd_open(dirfd, path, O_PATH | O_DIRECTORY, 0);

  if (fd < 0)
    return zl_fail(err, fd == -ENOENT ? ZL_E_NOT_FOUND : ZL_E_SYSTEM, -fd, "root directory '%s'",
                   path);
  *ret_fd = fd;
  return 0;
}

/* A mount of the directory in *fd, which nobody else sees, in its place. */
static int detach_layer(int *fd, struct zl_error *err)
{
  int copy = -1, r = zl_mount_clone(*fd, "", false, &copy, err);

  if (r < 0)
    return zl_wrap(err, "layers");
  (void)close(*fd);
  *fd = copy;
  return 0;
}

/* The files of a layer belong to the host's ids. In a user namespace an id-mapped copy of the mount
 * shows them as the container's, without touching them. The mount of an image is ours alone. */
static int map_layer(int *fd, bool is_image, int userns_fd, struct zl_error *err)
{
  int r = is_image ? 0 : detach_layer(fd, err);

  if (r == 0)
    r = zl_mount_map_ids(*fd, false, userns_fd, err);
  return r < 0 ? zl_wrap(err, "layers") : 0;
}

static int open_layer(const char *path, int *ret_fd, bool *ret_is_image, struct zl_error *err)
{
  zl_autofd fd = zl_fd_open(AT_FDCWD, path, O_PATH, 0);
  zl_autofd file = -1;
  struct stat st;
  int r;

  if (fd < 0) {
    r = zl_fail(err, fd == -ENOENT ? ZL_E_NOT_FOUND : ZL_E_SYSTEM, -fd, "layer '%s'", path);
    fd = -1;
    return r;
  }
  if (fstat(fd, &st) < 0)
    return zl_fail_errno(err, "layer '%s'", path);
  *ret_is_image = S_ISREG(st.st_mode);
  if (!*ret_is_image) {
    *ret_fd = zl_steal_fd(&fd);
    return 0;
  }
  file = zl_fd_open(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW, 0);
  if (file < 0) {
    r = zl_fail(err, ZL_E_SYSTEM, -file, "layer '%s'", path);
    file = -1;
    return r;
  }
  r = zl_erofs_mount(file, ret_fd, err);
  return r < 0 ? zl_wrap(err, "layer '%s'", path) : 0;
}

int zl_rootfs_open_layer(const char *path, int *ret_fd, struct zl_error *err)
{
  bool is_image;

  return open_layer(path, ret_fd, &is_image, err);
}

static int open_layers(const struct zl_rootfs *rootfs, struct layer_fds *ret, struct zl_error *err)
{
  const char *const *paths = rootfs->layers;

  for (size_t i = 0; paths != NULL && paths[i] != NULL; i++) {
    bool is_image;
    int r;

    if (i == ZL_MAX_LAYERS)
      return zl_fail(err, ZL_E_LIMIT, 0, "more than %d layers", ZL_MAX_LAYERS);
    r = open_layer(paths[i], &ret->fds[i], &is_image, err);
    if (r < 0)
      return r;
    ret->is_image[ret->count++] = is_image;
    ret->images += is_image;
    if (rootfs->userns_fd >= 0)
      r = map_layer(&ret->fds[i], is_image, rootfs->userns_fd, err);
    if (r < 0)
      return r;
  }
  return 0;
}

/* All layers in one string, which every kernel takes, but fsconfig limits to 255 bytes: relative to
 * /proc/self/fd a layer needs three or four of them. False: they do not fit. */
static bool join_layers(const struct layer_fds *layers, char text[FSCONFIG_STRING_MAX + 1])
{
  size_t len = 0;

  for (size_t i = 0; i < layers->count; i++) {
    int n = snprintf(text + len, FSCONFIG_STRING_MAX + 1 - len, "%s%d", i > 0 ? ":" : "",
                     layers->fds[i]);

    len += (size_t)n;
    if (len > FSCONFIG_STRING_MAX)
      return false;
  }
  return true;
}

/* One by one they can be given since Linux 6.7. Before 6.5 overlayfs takes any parameter and
 * refuses the unknown ones when it is mounted, so this cannot be tried first. */
static int add_layers(int context, const struct layer_fds *layers, struct zl_error *err)
{
  char joined[FSCONFIG_STRING_MAX + 1], text[ZL_FD_PATH];

  if (join_layers(layers, joined))
    return fsconfig(context, FSCONFIG_SET_STRING, "lowerdir", joined, 0) < 0
               ? zl_fail_errno(err, "overlay: lower layers")
               : 0;
  for (size_t i = 0; i < layers->count; i++) {
    const char *path = zl_path_of_fd(layers->fds[i], text);

    if (fsconfig(context, FSCONFIG_SET_STRING, "lowerdir+", path, 0) < 0)
      return zl_fail(err, ZL_E_UNSUPPORTED, errno, "%zu layers: this kernel takes fewer",
                     layers->count);
  }
  return 0;
}

static int set_dir(int context, const char *key, int fd, struct zl_error *err)
{
  char text[ZL_FD_PATH];

  if (fsconfig(context, FSCONFIG_SET_STRING, key, zl_path_of_fd(fd, text), 0) < 0)
    return zl_fail_errno(err, "overlay: %s", key);
  return 0;
}

static int open_writable(const struct zl_rootfs *rootfs, struct layer_fds *layers,
                         struct zl_error *err)
{
  const int dir_fd = layers->dir >= 0 ? layers->dir : rootfs->dir_fd;
  int r = open_directory(dir_fd, "upper", &layers->upper, err);

  if (r == 0)
    r = open_directory(dir_fd, "work", &layers->work, err);
  if (r == 0 && rootfs->userns_fd >= 0 &&
      fchownat(layers->upper, "", rootfs->root_uid, rootfs->root_gid, AT_EMPTY_PATH) < 0)
    return zl_fail_errno(err, "giving the writable layer to the container's root");
  return r;
}

static int set_writable(int context, const struct zl_rootfs *rootfs, const struct layer_fds *layers,
                        struct zl_error *err)
{
  int r = set_dir(context, "upperdir", layers->upper, err);

  if (r == 0)
    r = set_dir(context, "workdir", layers->work, err);
  /* Without it unmounting writes the whole file system below out; kernel 5.10. */
  if (r == 0 && rootfs->is_volatile &&
      fsconfig(context, FSCONFIG_SET_FLAG, "volatile", NULL, 0) < 0)
    return zl_fail_errno(err, "overlay: volatile");
  return r;
}

struct overlay {
  const struct zl_rootfs *rootfs;
  const struct layer_fds *layers;
};

static int make_overlay(void *ctx, int *ret_fd, struct zl_error *err)
{
  const struct zl_rootfs *rootfs = ((struct overlay *)ctx)->rootfs;
  const struct layer_fds *layers = ((struct overlay *)ctx)->layers;
  zl_autofd context = fsopen("overlay", FSOPEN_CLOEXEC);
  int fd, r;

  if (context < 0)
    return zl_fail_errno(err, "overlayfs is not available on this kernel");
  if (fsconfig(context, FSCONFIG_SET_STRING, "source", "overlay", 0) < 0)
    return zl_fail_errno(err, "overlay: source");
  r = add_layers(context, layers, err);
  if (r == 0 && rootfs->dir_fd >= 0)
    r = set_writable(context, rootfs, layers, err);
  if (r < 0)
    return r;
  if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
    return zl_fail_errno(err, "mounting the overlay of %zu layers", layers->count);
  fd = fsmount(context, FSMOUNT_CLOEXEC, rootfs->dir_fd < 0 ? MOUNT_ATTR_RDONLY : 0);
  if (fd < 0)
    return zl_fail_errno(err, "mounting the overlay of %zu layers", layers->count);
  *ret_fd = fd;
  return 0;
}

static int plain(int dirfd, const char *path, bool readonly, uint64_t propagation, int *ret_fd,
                 struct zl_error *err)
{
  zl_autofd fd = -1;
  int r = zl_mount_clone(dirfd, path, true, &fd, err);

  if (r == 0)
    r = zl_mount_change(fd, true, readonly ? MOUNT_ATTR_RDONLY : 0, 0, propagation, err);
  if (r < 0)
    return zl_wrap(err, "root directory '%s'", path);
  *ret_fd = zl_steal_fd(&fd);
  return 0;
}

/* Where mounts have to be attached, those that no other has seen get a namespace, and then all
 * others have to be of it as well. */
static int make_apart(struct overlay *what, struct layer_fds *layers, int *ret_fd,
                      struct zl_error *err)
{
  int mounts[ZL_MAX_LAYERS + 1];
  size_t n = 0;

  for (size_t i = 0; i < layers->count; i++)
    mounts[n++] = layers->fds[i];
  if (layers->dir >= 0)
    mounts[n++] = layers->dir;
  return zl_mountns_run(mounts, n, make_overlay, what, ret_fd, err);
}

/* All mounts detached, if some are and this kernel then wants that of all. */
static int even_out(const struct zl_rootfs *rootfs, struct layer_fds *layers, bool *ret_apart,
                    struct zl_error *err)
{
  const bool mapped = rootfs->userns_fd >= 0;
  int r = 0;

  *ret_apart = (mapped || layers->images > 0) && zl_mountns_is_needed();
  if (!*ret_apart)
    return 0;
  for (size_t i = 0; r == 0 && !mapped && i < layers->count; i++)
    if (!layers->is_image[i])
      r = detach_layer(&layers->fds[i], err);
  return r == 0 && rootfs->dir_fd >= 0
             ? zl_mount_clone(rootfs->dir_fd, "", false, &layers->dir, err)
             : r;
}

/* Relative names of the layers resolve against the working directory, which is put back. */
static int overlay(const struct zl_rootfs *rootfs, struct layer_fds *layers, int *ret_fd,
                   struct zl_error *err)
{
  struct overlay what = { .rootfs = rootfs, .layers = layers };
  zl_autofd before = zl_fd_open(AT_FDCWD, ".", O_PATH | O_DIRECTORY, 0);
  bool apart;
  int r = even_out(rootfs, layers, &apart, err);

  if (r == 0 && rootfs->dir_fd >= 0)
    r = open_writable(rootfs, layers, err);
  if (r < 0)
    return r;
  if (before < 0 || chdir("/proc/self/fd") < 0)
    return zl_fail_errno(err, "/proc/self/fd");
  r = apart ? make_apart(&what, layers, ret_fd, err) : make_overlay(&what, ret_fd, err);
  if (fchdir(before) < 0 && r == 0) {
    zl_fd_closep(ret_fd);
    return zl_fail_errno(err, "returning to the working directory");
  }
  return r;
}

int zl_rootfs_open(const struct zl_rootfs *rootfs, int *ret_fd, struct zl_error *err)
{
  ZL_CLEANUP(close_layers) struct layer_fds layers = { .dir = -1, .upper = -1, .work = -1 };
  int r;

  if (rootfs->path != NULL)
    return plain(AT_FDCWD, rootfs->path, false, rootfs->is_slave ? MS_SLAVE : MS_PRIVATE, ret_fd,
                 err);
  r = open_layers(rootfs, &layers, err);
  if (r < 0)
    return r;
  if (layers.count == 0 && rootfs->dir_fd >= 0)
    return plain(rootfs->dir_fd, "upper", false, MS_PRIVATE, ret_fd, err);
  if (layers.count == 0)
    return zl_fail(err, ZL_E_INVALID, 0, "the container has neither layers nor a root directory");
  if (layers.count == 1 && rootfs->dir_fd < 0 && rootfs->userns_fd < 0 && layers.images == 1) {
    layers.count = 0;
    *ret_fd = layers.fds[0];
    return 0;
  }
  if (layers.count == 1 && rootfs->dir_fd < 0 && rootfs->userns_fd < 0)
    return plain(AT_FDCWD, rootfs->layers[0], true, MS_PRIVATE, ret_fd, err);
  return overlay(rootfs, &layers, ret_fd, err);
}

int zl_rootfs_stage(int mount_fd, const char *path, uint64_t propagation, struct zl_error *err)
{
  struct mount_attr attr = { .propagation = propagation };

  if (mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &attr, sizeof(attr)) < 0)
    return zl_fail_errno(err, "detaching from the host's mounts");
  if (move_mount(mount_fd, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0)
    return zl_fail_errno(err, "attaching the root file system on '%s'", path);
  return 0;
}

int zl_rootfs_pivot(int mount_fd, struct zl_error *err)
{
  /* Both arguments "." stack the old root on the new one, from where it is taken off: no
   * directory of the image is needed for it (pivot_root(2)). */
  if (fchdir(mount_fd) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
    return zl_fail_errno(err, "changing the root");
  if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
    return zl_fail_errno(err, "leaving the host's file system");
  return 0;
}
