/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes to /proc go through a procfs of our own that no one else can mount over: a container that
 * shadows /proc/self/attr or /proc/sys with its own files would otherwise redirect them
 * (CVE-2019-16884, CVE-2025-52881).
 */
#ifndef ZL_ENGINE_PROCFS_H
#define ZL_ENGINE_PROCFS_H

#include <zlayer/error.h>

/* A private, detached procfs of the caller's pid namespace. The descriptor is CLOEXEC. */
int zl_procfs_open(int *ret_fd, struct zl_error *err);

/* Leaves of zl_procfs_open's what every process of the pid namespace has anyway: processes, to be
 * read. For one that keeps it while others may look at its descriptors (CAP_SYS_PTRACE). */
int zl_procfs_confine(int proc_fd, struct zl_error *err);

/* ZL_E_INVALID unless fd (O_PATH is enough) is the root of a procfs. */
int zl_procfs_verify(int fd, const char *where, struct zl_error *err);

/* One write(2) of `text` to (proc_fd, path); links and other mounts on the way are refused. */
int zl_procfs_write(int proc_fd, const char *path, const char *text, struct zl_error *err);

#endif
