/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "oci/vm/vm.h"

enum {
  ROWS = 24,
  COLS = 80
};

static int open_pair(struct oci_vm_terminal *terminal, struct zl_error *err)
{
  int fd = zl_fd_open(AT_FDCWD, "/dev/ptmx", O_RDWR, 0);

  if (fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -fd, "/dev/ptmx");
  terminal->master = fd;
  if (unlockpt(fd) < 0)
    return zl_fail_errno(err, "terminal");
  fd = ioctl(fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (fd < 0)
    return zl_fail_errno(err, "terminal");
  terminal->slave = fd;
  return 0;
}

/* Echo, lines and control characters are the business of the machine's. */
static int make_raw(int slave, const struct zl_process *process, struct zl_error *err)
{
  struct winsize size = { .ws_row = process->console_rows != 0 ? process->console_rows : ROWS,
                          .ws_col = process->console_cols != 0 ? process->console_cols : COLS };
  struct termios raw;

  if (tcgetattr(slave, &raw) < 0)
    return zl_fail_errno(err, "terminal");
  cfmakeraw(&raw);
  if (tcsetattr(slave, TCSANOW, &raw) < 0 || ioctl(slave, TIOCSWINSZ, &size) < 0)
    return zl_fail_errno(err, "terminal");
  return 0;
}

int oci_vm_terminal_open(const struct zl_process *process, struct oci_vm_terminal *ret,
                         struct zl_error *err)
{
  int r;

  *ret = (struct oci_vm_terminal){ -1, -1 };
  if (!process->terminal)
    return 0;
  r = open_pair(ret, err);
  if (r == 0)
    r = make_raw(ret->slave, process, err);
  if (r < 0) {
    zl_fd_closep(&ret->master);
    zl_fd_closep(&ret->slave);
  }
  return r;
}
