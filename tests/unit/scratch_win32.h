/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_TEST_SCRATCH_WIN32_H
#define ZL_TEST_SCRATCH_WIN32_H

#include <stdlib.h>
#include <string.h>

#include "base/win32/handle.h"

/* Descriptors that are open: numbers of the C runtime, and of objects. */
static inline size_t scratch_count_fds(void)
{
  size_t n = 0;

  for (int fd = 0; fd < 2048; fd++)
    n += zl_handle_of(fd) != INVALID_HANDLE_VALUE;
  for (int fd = ZL_OBJECT_FD; zl_handle_is_object(fd); fd++)
    n += zl_handle_of(fd) != INVALID_HANDLE_VALUE;
  return n;
}

/* Where directories of tests are: there is no /tmp. */
static inline const char *scratch_place(const char *place)
{
  const char *temp = getenv("TEMP");

  return temp != NULL ? temp : place;
}

#endif
