/* SPDX-License-Identifier: Apache-2.0
 *
 * Mounts as descriptors: made detached, configured, and only then attached to a target that is a
 * descriptor too. No path is resolved between check and use.
 */
#ifndef ZL_ENGINE_MOUNT_FD_H
#define ZL_ENGINE_MOUNT_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

struct zl_fs_param {
  const char *key;
  const char *value; /* NULL: a flag; at most 255 bytes (a limit of fsconfig) */
};

/* A new, detached instance of a file system. `source` may be NULL. `attrs` are MOUNT_ATTR_*.
 * The kernel's own explanation is part of the error. *ret_fd is CLOEXEC and the caller's. */
int zl_mount_fs(const char *type, const char *source, const struct zl_fs_param *params, size_t n,
                uint64_t attrs, int *ret_fd, struct zl_error *err);

/* A detached copy of what (dirfd, path) is in the caller's namespace; path "" means dirfd itself.
 * `recursive` takes the mounts below along. Links in `path` are followed: it is a host path. */
int zl_mount_clone(int dirfd, const char *path, bool recursive, int *ret_fd, struct zl_error *err);

/* The same of a link itself, where `path` ends with one. */
int zl_mount_clone_link(const char *path, int *ret_fd, struct zl_error *err);

/* mount_setattr on (mount_fd, ""): MOUNT_ATTR_* to set and clear, MS_PRIVATE etc. or 0. */
int zl_mount_change(int mount_fd, bool recursive, uint64_t set, uint64_t clear,
                    uint64_t propagation, struct zl_error *err);

/* Shows the ids of a detached mount's files through the maps of a user namespace. ZL_E_UNSUPPORTED
 * when its file system cannot. */
int zl_mount_map_ids(int mount_fd, bool recursive, int userns_fd, struct zl_error *err);

/* Sets parameters of the file system that is mounted at target_fd. */
int zl_mount_reconfigure(int target_fd, const struct zl_fs_param *params, size_t n,
                         struct zl_error *err);

/* Attaches a detached mount on target_fd (O_PATH). `where` names the target in errors. */
int zl_mount_attach(int mount_fd, int target_fd, const char *where, struct zl_error *err);

#endif
