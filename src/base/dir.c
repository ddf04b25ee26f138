/* SPDX-License-Identifier: Apache-2.0 */
#include "base/dir.h"

#include <errno.h>
#include <fcntl.h>

#include "base/fd.h"

void zl_dirp(DIR **dir)
{
  if (*dir != NULL)
    (void)closedir(*dir);
  *dir = NULL;
}

DIR *zl_dir_open(int dirfd, const char *path)
{
  zl_autofd fd = zl_fd_open(dirfd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
  DIR *dir;

  if (fd < 0) {
    errno = -fd;
    return NULL;
  }
  dir = fdopendir(fd);
  if (dir != NULL)
    (void)zl_steal_fd(&fd);
  return dir;
}
