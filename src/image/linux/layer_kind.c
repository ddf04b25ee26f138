/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer_kind.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/erofs_mount.h"
#include "base/mountns.h"
#include "base/path.h"
#include "image/erofs/writer.h"
#include "image/layer_wish.h"

/* ---- What works here ------------------------------------------------------------------------- */

static int write_empty_image(int fd, struct zl_error *err)
{
  const struct zl_erofs_options options = { .fd = fd };
  ZL_CLEANUP(zl_erofs_freep) struct zl_erofs *image = NULL;
  int r = zl_erofs_new(&options, &image, err);

  return r < 0 ? r : zl_erofs_seal(image, err);
}

/* A container's root, with some directory below, as overlayfs wants two. */
static int try_overlay(void *ctx, int *ret_fd, struct zl_error *err)
{
  const int *layers = ctx;
  zl_autofd context = fsopen("overlay", FSOPEN_CLOEXEC);
  char above[ZL_FD_PATH], below[ZL_FD_PATH], lower[2 * ZL_FD_PATH];

  if (context < 0)
    return zl_fail(err, ZL_E_UNSUPPORTED, errno, "overlayfs is not available on this kernel");
  (void)snprintf(lower, sizeof(lower), "%s:%s", zl_path_of_fd(layers[0], above),
                 zl_path_of_fd(layers[1], below));
  if (fsconfig(context, FSCONFIG_SET_STRING, "lowerdir", lower, 0) < 0 ||
      fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
    return zl_fail(err, ZL_E_UNSUPPORTED, errno, "overlayfs takes no EROFS layers on this kernel");
  *ret_fd = fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY);
  return *ret_fd < 0 ? zl_fail_errno(err, "trying an EROFS layer") : 0;
}

/* As a container's root is made: src/engine/rootfs.c. */
static int try_both(int image_fd, int dir_fd, struct zl_error *err)
{
  zl_autofd merged = -1, copy = -1;
  int layers[2] = { image_fd, dir_fd };

  if (!zl_mountns_is_needed())
    return try_overlay(layers, &merged, err);
  copy = open_tree(dir_fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
  if (copy < 0)
    return zl_fail_errno(err, "trying an EROFS layer");
  layers[1] = copy;
  return zl_mountns_run(layers, 2, try_overlay, layers, &merged, err);
}

/* In the directory of the layers, since what works depends on their file system. */
static int try_erofs(int layers_fd, struct zl_error *err)
{
  struct zl_staging staging = ZL_STAGING_INIT;
  zl_autofd mount_fd = -1;
  int r = zl_staging_make(layers_fd, ZL_LAYER_KIND_EROFS, &staging, err);

  if (r < 0)
    return r;
  r = write_empty_image(staging.tree_fd, err);
  if (r == 0)
    r = zl_erofs_mount(staging.tree_fd, &mount_fd, err);
  if (r == 0)
    r = try_both(mount_fd, staging.dir_fd, err);
  zl_staging_remove(layers_fd, &staging);
  return r;
}

int zl_layer_kind_choose(struct zl_image_store *store, enum zl_layer_kind *ret,
                         struct zl_error *err)
{
  struct zl_error why = { 0 };
  enum zl_layer_wish wish;
  int r = zl_layer_wish_read(store->root_fd, store->root, &wish, err);

  if (r < 0)
    return r;
  *ret = ZL_LAYER_KIND_DIRECTORY;
  if (wish == ZL_LAYER_WISH_DIRECTORY)
    return 0;
  r = try_erofs(store->layers_fd, &why);
  if (r == 0)
    *ret = ZL_LAYER_KIND_EROFS;
  if (r == 0 || wish == ZL_LAYER_WISH_AUTO)
    return 0;
  return zl_fail(err, ZL_E_UNSUPPORTED, 0, "layers: erofs: %s", why.msg);
}
