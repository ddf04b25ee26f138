/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/socket.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/strv.h"

/* A socket's path may be longer than an address: then it is reached by descriptor. */
static int connect_to(const char *what, const char *path, int *ret_fd, struct zl_error *err)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  zl_autofd at = zl_fd_open(AT_FDCWD, path, O_PATH, 0);
  zl_autofd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  if (at < 0)
    return zl_fail(err, ZL_E_SYSTEM, -at, "%s '%s'", what, path);
  if (fd < 0)
    return zl_fail_errno(err, "%s", what);
  (void)zl_path_of_fd(at, address.sun_path);
  if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
    return zl_fail_errno(err, "%s '%s'", what, path);
  *ret_fd = zl_steal_fd(&fd);
  return 0;
}

int oci_socket_send(const char *what, const char *path, const char *text, int fd,
                    struct zl_error *err)
{
  zl_autofd sock = -1;
  ssize_t n;
  int r = connect_to(what, path, &sock, err);

  if (r < 0)
    return r;
  n = zl_fd_send(sock, text, strlen(text), &fd, 1);
  return n < 0 ? zl_fail(err, ZL_E_SYSTEM, (int)-n, "%s '%s'", what, path) : 0;
}
