/* SPDX-License-Identifier: Apache-2.0
 *
 * Names that the suites use and the C library for Windows lacks.
 */
#ifndef ZL_CONFORMANCE_WINDOWS_COMPAT_H
#define ZL_CONFORMANCE_WINDOWS_COMPAT_H

#include <unistd.h>

#include "base/fd.h"

#define SIGKILL 9
#define BIN     "C:\\bin\\"

static inline int pipe2(int ends[2], int flags)
{
  (void)flags;
  return zl_fd_pipe(ends, NULL) == 0 ? 0 : -1;
}
#define pipe(ends) pipe2((ends), 0)

#endif
