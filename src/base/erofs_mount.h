/* SPDX-License-Identifier: Apache-2.0
 *
 * Mounting a file system image that is a file of this host.
 */
#ifndef ZL_BASE_EROFS_MOUNT_H
#define ZL_BASE_EROFS_MOUNT_H

#include <zlayer/error.h>

/* A detached, read-only mount of the EROFS image in file_fd (open for reading), CLOEXEC and the
 * caller's. The kernel reads the file itself where it can (Linux 6.12, and the file system below
 * must have pages to read), else through a loop device that goes when the mount goes, however its
 * users end. ZL_E_UNSUPPORTED: this kernel has no EROFS, or neither way; ZL_E_CORRUPT: it is no
 * EROFS image. */
int zl_erofs_mount(int file_fd, int *ret_fd, struct zl_error *err);

#endif
