/* SPDX-License-Identifier: Apache-2.0
 *
 * Directories that are read entry by entry.
 */
#ifndef ZL_BASE_DIR_H
#define ZL_BASE_DIR_H

#include <dirent.h>

#include "base/cleanup.h"

void zl_dirp(DIR **dir);
#define zl_autodir ZL_CLEANUP(zl_dirp) DIR

/* The directory (dirfd, path), never a link to one; NULL with errno. */
DIR *zl_dir_open(int dirfd, const char *path);

#endif
