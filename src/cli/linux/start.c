/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/start.h"

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>

#include "base/fd.h"

/* Our own descriptors must not land on 0, 1 or 2 when the caller has closed them. */
static void fill_standard_fds(void)
{
  for (int fd = 0; fd <= 2; fd++)
    if (fcntl(fd, F_GETFD) < 0)
      (void)zl_fd_open(AT_FDCWD, "/dev/null", fd == 0 ? O_RDONLY : O_WRONLY, 0);
}

/* A program that lives for milliseconds gives no memory back in between: each return and new
 * request of the C library is a system call and page faults. */
static void keep_memory(void)
{
  (void)mallopt(M_TOP_PAD, 1 << 20);
  (void)mallopt(M_TRIM_THRESHOLD, 64 << 20);
  (void)mallopt(M_MMAP_THRESHOLD, 4 << 20);
}

char **zl_cli_begin(int argc, char **argv)
{
  (void)argc;
  keep_memory();
  fill_standard_fds();
  /* A reader that goes away is an error of write(2) that is handled, not the end of the program. */
  (void)signal(SIGPIPE, SIG_IGN);
  return argv;
}
