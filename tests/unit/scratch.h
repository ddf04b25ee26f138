/* SPDX-License-Identifier: Apache-2.0
 *
 * The directory of a test program's case. What the case leaves fails it: a file that cannot be
 * removed, an open descriptor.
 */
#ifndef ZL_TEST_SCRATCH_H
#define ZL_TEST_SCRATCH_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/path.h"
#ifdef _WIN32
#include "scratch_win32.h"
#else
#include "scratch_linux.h"
#endif

struct scratch {
  char path[300];
  int fd;
  size_t fds; /* open before */
};

/* Makes PLACE/zl-NAME-XXXXXX. */
static inline void scratch_make(struct scratch *scratch, const char *place, const char *name)
{
  scratch->fds = scratch_count_fds();
  (void)snprintf(scratch->path, sizeof(scratch->path), "%s/zl-%s-XXXXXX", scratch_place(place),
                 name);
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
