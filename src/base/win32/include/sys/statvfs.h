/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_BASE_WIN32_SYS_STATVFS_H
#define ZL_BASE_WIN32_SYS_STATVFS_H

#include <stdint.h>

struct zl_posix_statvfs {
  uint64_t f_frsize, f_blocks, f_bavail;
};
/* Of the volume on which the open file is; f_bavail is what this user may take. */
int zl_posix_fstatvfs(int fd, struct zl_posix_statvfs *ret);
#define statvfs  zl_posix_statvfs
#define fstatvfs zl_posix_fstatvfs

#endif
