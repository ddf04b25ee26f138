/* SPDX-License-Identifier: Apache-2.0
 *
 * Descriptors and whole-file reads and writes. Every descriptor made here is CLOEXEC from birth.
 * Paths given here are the host's own (state directories, /proc, /sys); a path that a container or
 * image controls goes through base/path.h.
 */
#ifndef ZL_BASE_FD_H
#define ZL_BASE_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <zlayer/error.h>

#include "base/buf.h"

/* Opens (dirfd, path) with flags | O_CLOEXEC | O_NOCTTY. Returns the descriptor or -errno. */
int zl_fd_open(int dirfd, const char *path, int flags, mode_t mode);
/* A copy numbered >= 3, or -errno. */
int zl_fd_copy(int fd);
/* A pipe pair, ends[0] is read. */
int zl_fd_pipe(int ends[2], struct zl_error *err);

/* Reads until `len` bytes or end of file; returns the count or -errno. EINTR is retried. */
ssize_t zl_fd_read_full(int fd, void *data, size_t len);
/* Writes all of it: 0 or -errno. EINTR is retried; a non-blocking fd is not for this function. */
int zl_fd_write_full(int fd, const void *data, size_t len);

/* All that is left of `fd`, appended to *buf whose maximum bounds it; `name` is for errors. */
int zl_fd_read_all(int fd, const char *name, struct zl_buf *buf, struct zl_error *err);
/* The whole regular or /proc file (dirfd, path), appended to *buf whose maximum bounds it.
 * ZL_E_NOT_FOUND when it is not there. */
int zl_file_read(int dirfd, const char *path, struct zl_buf *buf, struct zl_error *err);
/* One write(2) to an existing file, as /proc and cgroup files want it. */
int zl_file_poke(int dirfd, const char *path, const char *text, struct zl_error *err);
/* Replaces (dirfd, name) by rename of a temporary file in the same directory; readers see the old
 * or the new content, never a part. `durable` adds fsync of file and directory. */
int zl_file_replace(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
                    bool durable, struct zl_error *err);

/* One datagram or stream chunk with up to ZL_MAX_CONTROL_FDS descriptors. Returns bytes or -errno.
 * Received descriptors are CLOEXEC and counted in *n_fds (capacity in, count out); surplus ones are
 * closed. -EMSGSIZE when the message did not fit. */
ssize_t zl_fd_send(int sock, const void *data, size_t len, const int *fds, size_t n_fds);
ssize_t zl_fd_recv(int sock, void *data, size_t len, int *fds, size_t *n_fds);

#endif
