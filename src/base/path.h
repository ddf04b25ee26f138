/* SPDX-License-Identifier: Apache-2.0
 *
 * The only way to a path that an image or a container controls. Resolution happens inside `root_fd`
 * as if it were "/" (openat2 RESOLVE_IN_ROOT): neither "..", absolute links nor a racing rename can
 * leave it, and magic links are refused. All later work goes through the returned descriptor.
 * CVE-2019-18837, CVE-2024-45310 and CVE-2026-47766 are what happens otherwise.
 */
#ifndef ZL_BASE_PATH_H
#define ZL_BASE_PATH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <zlayer/error.h>

/* Opens `path` (absolute or relative, both meant from root_fd) with flags | O_CLOEXEC; `mode` for
 * O_CREAT. Add O_NOFOLLOW to refuse a link as the last component. Returns the fd or -errno
 * (-EXDEV, -ELOOP: an escape or a magic link was refused). */
int zl_path_open_in_root(int root_fd, const char *path, int flags, mode_t mode);

/* As above, but never crosses onto another mount and refuses every symbolic link: for /proc and
 * /sys inside a container root. */
int zl_path_open_beneath(int dirfd, const char *path, int flags, mode_t mode);

/* Makes `path` and its missing parents below root_fd as directories of `mode` and returns an O_PATH
 * descriptor of the last one, or -errno. An existing directory is fine (links are followed inside
 * the root, and what a dangling one names is made there); another kind of file is -ENOTDIR. */
int zl_path_mkdirs_in_root(int root_fd, const char *path, mode_t mode);

/* As zl_path_mkdirs_in_root for the parent, then makes an empty regular file when nothing is there,
 * or where a dangling link leads inside the root; returns an O_PATH descriptor of it, or -errno. */
int zl_path_touch_in_root(int root_fd, const char *path, mode_t mode);

/* Opens the host directory (dirfd, path), made with its missing parents when absent; each directory
 * made gets `mode`. Returns an O_RDONLY | O_DIRECTORY descriptor or -errno. */
int zl_path_open_dir(int dirfd, const char *path, mode_t mode);

/* Removes the tree (dirfd, name) without following links or leaving its file system. Success when
 * it does not exist. Bounded in depth only by the file system. Returns 0 or -errno (the first
 * error; the rest is still attempted). */
int zl_path_remove_tree(int dirfd, const char *name);

/* Bytes of disk used by the tree (dirfd, name); hardlinks count once each time they appear. */
int zl_path_tree_usage(int dirfd, const char *name, uint64_t *ret_bytes, uint64_t *ret_files);

/* "/proc/self/fd/N" for system calls without a *at form. */
enum {
  ZL_FD_PATH = 32
};
const char *zl_path_of_fd(int fd, char text[ZL_FD_PATH]);

/* A path of the host that depends on no working directory, and on Windows on no current drive. */
bool zl_path_is_absolute(const char *path);

/* A name that is safe as one path component: [a-zA-Z0-9][a-zA-Z0-9_.-]*, at most `max` characters.
 */
bool zl_path_is_name(const char *name, size_t max);

#endif
