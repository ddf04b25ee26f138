/* SPDX-License-Identifier: Apache-2.0
 *
 * The directory of a test program's case. What the case leaves fails it: a file that cannot be
 * removed, an open descriptor.
 */
#ifndef ZL_TEST_SCRATCH_H
#define ZL_TEST_SCRATCH_H

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/path.h"

struct scratch {
  char path[64];
  int fd;
  size_t fds; /* open before */
};

static inline size_t scratch_count_fds(void)
{
  DIR *dir = opendir("/proc/self/fd");
  size_t n = 0;

  assert_non_null(dir);
  while (readdir(dir) != NULL)
    n++;
  (void)closedir(dir);
  return n;
}

/* Makes PLACE/zl-NAME-XXXXXX. */
static inline void scratch_make(struct scratch *scratch, const char *place, const char *name)
{
  scratch->fds = scratch_count_fds();
  (void)snprintf(scratch->path, sizeof(scratch->path), "%s/zl-%s-XXXXXX", place, name);
  assert_non_null(mkdtemp(scratch->path));
  scratch->fd = open(scratch->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  assert_true(scratch->fd >= 0);
}

static inline void scratch_remove(struct scratch *scratch)
{
  (void)close(scratch->fd);
  assert_int_equal(zl_path_remove_tree(AT_FDCWD, scratch->path), 0);
  assert_int_equal(access(scratch->path, F_OK), -1);
  assert_int_equal(scratch_count_fds(), scratch->fds);
}

#endif
