/* SPDX-License-Identifier: Apache-2.0
 *
 * What mounts are attached to: looked up, and made where the image lacks it, inside the container's
 * root only.
 */
#ifndef ZL_ENGINE_MOUNT_TARGET_H
#define ZL_ENGINE_MOUNT_TARGET_H

#include <stdbool.h>
#include <zlayer/error.h>

#include "engine/config.h"

enum {
  ZL_MOUNT_LINK_TEXT = 4096 /* what a link may say: PATH_MAX of the kernel */
};

/* Whether it is a new file system of this type; never a bind mount. */
bool zl_mount_is_type(const struct zl_mount *m, const char *type);

/* Opens the place below root_fd that `m` is mounted on; a missing one is made: a directory or a
 * file, as what is mounted is (`directory`). A path that must be a directory is opened without
 * following a link: ZL_E_INVALID when it is one. *ret_fd is the caller's. */
int zl_mount_target_open(const struct zl_mount *m, bool directory, int root_fd, int *ret_fd,
                         struct zl_error *err);

/* Instead of a mount ("copy-symlink"): makes a link there that says `text`. Success when there is
 * one already that says so. */
int zl_mount_target_link(const struct zl_mount *m, const char *text, int root_fd,
                         struct zl_error *err);

#endif
