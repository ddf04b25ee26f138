/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include "base/fd.h"
#include "oci/socket.h"

int oci_console_send(const char *path, int *master, struct zl_error *err)
{
  int r = oci_socket_send("--console-socket", path, "/dev/ptmx", *master, err);

  if (r == 0)
    zl_fd_closep(master);
  return r;
}

void oci_console_adopt_size(struct zl_process *process)
{
  struct winsize size;

  if (!process->terminal || ioctl(STDIN_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row == 0)
    return;
  process->console_rows = size.ws_row;
  process->console_cols = size.ws_col;
}
