/* SPDX-License-Identifier: Apache-2.0
 *
 * Sockets that keep messages apart and bring descriptors along.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/path.h"
#include "shim/conn_io.h"

enum {
  BACKLOG = 16
};

#define SOCKET_NAME "control"

int conn_io_send(struct conn *conn, const char *message, size_t len, const int *fds, size_t n_fds)
{
  if (zl_fd_send(conn->fd, message, len, fds, n_fds) >= 0)
    return 0;
  (void)shutdown(conn->fd, SHUT_RDWR);
  return -1;
}

/* 1: a message in *ret_text; 0: the client has gone. */
static int receive(struct conn *conn, char **ret_text, size_t *ret_len, struct request *request,
                   struct zl_error *err)
{
  ssize_t size = recv(conn->fd, NULL, 0, MSG_PEEK | MSG_TRUNC);
  zl_autofree char *text = NULL;

  if (size <= 0)
    return 0;
  if (size > ZL_MAX_CONTROL_MSG)
    return zl_fail(err, ZL_E_LIMIT, 0, "a request of %zd bytes, the limit is %d", size,
                   ZL_MAX_CONTROL_MSG);
  text = malloc((size_t)size + 1);
  if (text == NULL)
    return zl_fail_nomem(err, "request");
  request->n_fds = ZL_MAX_CONTROL_FDS;
  size = zl_fd_recv(conn->fd, text, (size_t)size, request->fds, &request->n_fds);
  if (size <= 0) {
    request->n_fds = 0;
    return size == -EMSGSIZE ? zl_fail(err, ZL_E_LIMIT, 0, "a request with too many descriptors")
                             : 0;
  }
  *ret_len = (size_t)size;
  *ret_text = zl_steal_ptr(&text);
  return 1;
}

static void drop_message(struct conn *conn)
{
  (void)recv(conn->fd, NULL, 0, MSG_TRUNC);
}

static void conn_ready(struct source *source, uint32_t events)
{
  struct conn *conn = container_of(source, struct conn, source);
  autorequest request = { .fds = { -1, -1, -1, -1 } };
  zl_autofree char *text = NULL;
  struct zl_error err = { 0 };
  size_t len = 0;
  int r = 0;

  if (!conn->broken && (events & EPOLLIN))
    r = receive(conn, &text, &len, &request, &err);
  if (r == 0) {
    conn_close(conn);
    return;
  }
  if (r < 0 && err.code == ZL_E_LIMIT)
    drop_message(conn);
  if (r > 0)
    conn_message(conn, text, len, &request, &err);
  else
    conn_fail(conn, &err);
}

int conn_io_begin(struct conn *conn, struct zl_error *err)
{
  if (fcntl(conn->fd, F_SETFL, O_NONBLOCK) < 0)
    return zl_fail_errno(err, "control connection");
  return loop_add(&conn->shim->loop, &conn->source, conn->fd, EPOLLIN, conn_ready, err);
}

void conn_io_end(struct conn *conn)
{
  loop_remove(&conn->shim->loop, &conn->source);
  zl_fd_closep(&conn->fd);
}

static void accept_ready(struct source *source, uint32_t events)
{
  struct shim *shim = container_of(source, struct shim, listen_source);
  zl_autofd fd = accept4(shim->listen_fd, NULL, NULL, SOCK_CLOEXEC);

  (void)events;
  if (fd >= 0 && conn_open(shim, fd, NULL, NULL) == 0)
    fd = -1;
}

/* bind(2) has no *at form and 108 bytes for a path; through /proc/self/fd both do not matter. */
static int bind_in_dir(int fd, int dir_fd, struct zl_error *err)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  char dir[ZL_FD_PATH];

  (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/" SOCKET_NAME,
                 zl_path_of_fd(dir_fd, dir));
  if (unlinkat(dir_fd, SOCKET_NAME, 0) < 0 && errno != ENOENT)
    return zl_fail_errno(err, "removing the old control socket");
  if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
    return zl_fail_errno(err, "making the control socket");
  return 0;
}

int conn_listen(struct shim *shim, struct zl_error *err)
{
  shim->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (shim->listen_fd < 0)
    return zl_fail_errno(err, "control socket");
  if (bind_in_dir(shim->listen_fd, shim->dir_fd, err) < 0)
    return -(int)err->code;
  if (listen(shim->listen_fd, BACKLOG) < 0)
    return zl_fail_errno(err, "listening on the control socket");
  return loop_add(&shim->loop, &shim->listen_source, shim->listen_fd, EPOLLIN, accept_ready, err);
}

void conn_unlisten(struct shim *shim)
{
  if (shim->listen_fd < 0)
    return;
  (void)unlinkat(shim->dir_fd, SOCKET_NAME, 0);
  loop_remove(&shim->loop, &shim->listen_source);
  zl_fd_closep(&shim->listen_fd);
}
