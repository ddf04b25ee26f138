/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "base/fd.h"
#include "runtime/shim/session.h"

int zl_shimclient_pipe_from(int *ret_ours, int *ret_theirs, struct zl_error *err)
{
  int ends[2];
  int r = zl_fd_pipe(ends, err);

  if (r < 0)
    return r;
  *ret_ours = ends[0];
  *ret_theirs = ends[1];
  return fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0 ? zl_fail_errno(err, "making a pipe") : 0;
}

bool zl_shimclient_has_masters(void)
{
  return true;
}

int zl_shimclient_set_size(int master, unsigned rows, unsigned cols, struct zl_error *err)
{
  struct winsize size = { .ws_row = (unsigned short)rows, .ws_col = (unsigned short)cols };

  return ioctl(master, TIOCSWINSZ, &size) < 0 ? zl_fail_errno(err, "setting the terminal's size")
                                              : 0;
}

bool zl_shimclient_is_absolute(const char *path)
{
  return *path == '/';
}
