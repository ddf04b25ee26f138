/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/console.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/strv.h"

/* A socket's path may be longer than an address: then it is reached by descriptor. */
static int connect_to(const char *path, int *ret_fd, struct zl_error *err)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  zl_autofd at = zl_fd_open(AT_FDCWD, path, O_PATH, 0);
  zl_autofd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  if (at < 0)
    return zl_fail(err, ZL_E_SYSTEM, -at, "--console-socket '%s'", path);
  if (fd < 0)
    return zl_fail_errno(err, "--console-socket");
  (void)zl_path_of_fd(at, address.sun_path);
  if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
    return zl_fail_errno(err, "--console-socket '%s'", path);
  *ret_fd = zl_steal_fd(&fd);
  return 0;
}

int oci_console_send(const char *path, int *master, struct zl_error *err)
{
  static const char name[] = "/dev/ptmx";
  zl_autofd fd = -1;
  ssize_t n;
  int r = connect_to(path, &fd, err);

  if (r < 0)
    return r;
  n = zl_fd_send(fd, name, strlen(name), master, 1);
  if (n < 0)
    return zl_fail(err, ZL_E_SYSTEM, (int)-n, "--console-socket '%s'", path);
  zl_fd_closep(master);
  return 0;
}

void oci_console_adopt_size(struct zl_process *process)
{
  struct winsize size;

  if (!process->terminal || ioctl(STDIN_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row == 0)
    return;
  process->console_rows = size.ws_row;
  process->console_cols = size.ws_col;
}
