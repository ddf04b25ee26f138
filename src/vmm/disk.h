/* SPDX-License-Identifier: Apache-2.0
 *
 * Disk files of machines.
 */
#ifndef ZL_VMM_DISK_H
#define ZL_VMM_DISK_H

#include <stdint.h>
#include <zlayer/error.h>

/* Makes (dir_fd, name) a sparse copy of `from_fd`: the same size, only what is allocated is copied
 * (shared where the file system can). *ret_fd is open for reading and writing. 0600. Without a name
 * (NULL) it goes with its last descriptor. ZL_E_CONFLICT: it exists. After an error there is no
 * such file. */
int zl_disk_copy(int from_fd, int dir_fd, const char *name, int *ret_fd, struct zl_error *err);

/* Bytes allocated on the disk. */
int zl_disk_allocated(int fd, uint64_t *ret, struct zl_error *err);

#endif
