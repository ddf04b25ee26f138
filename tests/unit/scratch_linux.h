/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_TEST_SCRATCH_LINUX_H
#define ZL_TEST_SCRATCH_LINUX_H

#include <dirent.h>
#include <stdlib.h>

/* What whole paths begin with. */
#define SCRATCH_DRIVE ""

/* Descriptors that are open. */
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

/* Where directories of tests are, when the test asks for `place`. */
static inline const char *scratch_place(const char *place)
{
  return place;
}

/* Whether signatures on P-521 can be checked. */
static inline int scratch_has_p521(void)
{
  return 1;
}

#endif
