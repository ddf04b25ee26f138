/* SPDX-License-Identifier: Apache-2.0
 *
 * The root file system of a container: image layers below, the container's own directory on top.
 */
#ifndef ZL_ENGINE_ROOTFS_H
#define ZL_ENGINE_ROOTFS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <zlayer/error.h>

struct zl_rootfs {
  const char *const
      *layers;      /* host directories or EROFS images, top first, ended by NULL; or NULL */
  int dir_fd;       /* directory with `upper` and `work`; -1: the layers only, read-only */
  const char *path; /* instead of layers: a host directory that is the root as it is; or NULL */
  bool is_slave;    /* mounts that the host makes later below `path` are seen */
  int userns_fd;    /* layers are seen through the ids of this user namespace; -1: as they are */
  uid_t root_uid;   /* with it: the host's ids of the container's root, to whom `upper` is given */
  gid_t root_gid;
  bool is_volatile; /* `upper` is thrown away with the container: nothing of it is ever synced */
};

/* Makes the root as a detached mount (CLOEXEC, the caller's): no mount table shows it. The upper
 * directory is used by one running container at a time. No layer: `upper` itself. */
int zl_rootfs_open(const struct zl_rootfs *rootfs, int *ret_fd, struct zl_error *err);

/* The tree of one layer: its directory, or a detached mount of its image. ZL_E_NOT_FOUND. */
int zl_rootfs_open_layer(const char *path, int *ret_fd, struct zl_error *err);

/* Makes the caller's mount namespace private (or a slave of the host's, MS_SLAVE) and attaches the
 * detached mount on `path`, a directory as the caller sees it. The caller must be in a mount
 * namespace of its own. */
int zl_rootfs_stage(int mount_fd, const char *path, uint64_t propagation, struct zl_error *err);

/* Makes the mount the root and drops the old one. Root and cwd are then "/". */
int zl_rootfs_pivot(int mount_fd, struct zl_error *err);

#endif
