/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/conn.h"

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
#include "base/json.h"
#include "base/limits.h"
#include "base/path.h"
#include "shim/actions.h"
#include "shim/request.h"
#include "shim/text.h"

enum {
  BACKLOG = 16
};

#define SOCKET_NAME "control"

/* ---- Messages out -------------------------------------------------------------------------- */

void conn_send(struct conn *conn, json_t *json, const int *fds, size_t n_fds)
{
  static const char no_memory[] =
      "{\"ok\":false,\"code\":\"NO_MEMORY\",\"os_error\":0,\"message\":\"out of memory\"}";
  zl_autojson *owned = json;
  zl_autofree char *text = owned != NULL ? json_dumps(owned, JSON_COMPACT) : NULL;
  const char *message = text != NULL ? text : no_memory;

  if (zl_fd_send(conn->fd, message, strlen(message), fds, text != NULL ? n_fds : 0) < 0) {
    conn->broken = true;
    (void)shutdown(conn->fd, SHUT_RDWR); /* the loop sees its end next */
  }
}

void conn_ok(struct conn *conn)
{
  conn_send(conn, json_pack("{s:b}", "ok", 1), NULL, 0);
}

void conn_fail(struct conn *conn, const struct zl_error *failure)
{
  conn_send(conn,
            json_pack("{s:b, s:s, s:i, s:o}", "ok", 0, "code", zl_code_name(failure->code),
                      "os_error", failure->os_error, "message", text_json(failure->msg)),
            NULL, 0);
}

static void send_exit(struct conn *conn)
{
  conn_send(conn, json_pack("{s:b, s:o}", "ok", 1, "exit", exit_render(&conn->shim->exit)), NULL,
            0);
}

void conn_settle(struct conn *conn)
{
  struct shim *shim = conn->shim;

  if (!conn->attached || shim->status != STATUS_STOPPED)
    return;
  for (int i = 0; i < STREAM_COUNT; i++)
    if (stream_is_pending(&shim->streams[i], conn))
      return;
  conn->attached = false;
  for (int i = 0; i < STREAM_COUNT; i++)
    stream_detach(&shim->streams[i], conn);
  conn_send(conn, json_pack("{s:s, s:o}", "event", "exit", "exit", exit_render(&shim->exit)), NULL,
            0);
}

void conn_announce(struct shim *shim, enum owed what, const struct zl_error *failure)
{
  for (struct conn *conn = shim->conns; conn != NULL; conn = conn->next)
    for (; conn->owed[what] > 0; conn->owed[what]--)
      if (failure != NULL)
        conn_fail(conn, failure);
      else
        conn_ok(conn);
}

void conn_announce_exit(struct shim *shim)
{
  for (struct conn *conn = shim->conns; conn != NULL; conn = conn->next) {
    for (; conn->exit_waits > 0; conn->exit_waits--)
      send_exit(conn);
    conn_settle(conn);
  }
}

/* ---- Messages in --------------------------------------------------------------------------- */

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
    r = request_parse(text, len, &request, &err);
  if (r == 0)
    action_run(conn, &request);
  else
    conn_fail(conn, &err);
}

/* ---- Connections --------------------------------------------------------------------------- */

int conn_open(struct shim *shim, int fd, struct conn **ret, struct zl_error *err)
{
  struct conn *conn;

  if (shim->n_conns >= ZL_MAX_CONTROL_CONNS)
    return zl_fail(err, ZL_E_LIMIT, 0, "more than %d control connections", ZL_MAX_CONTROL_CONNS);
  conn = calloc(1, sizeof(*conn));
  if (conn == NULL)
    return zl_fail_nomem(err, "connection");
  if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ||
      loop_add(&shim->loop, &conn->source, fd, EPOLLIN, conn_ready, err) < 0) {
    free(conn);
    return zl_fail_errno(err, "control connection");
  }
  conn->shim = shim;
  conn->fd = fd;
  conn->serial = ++shim->last_serial;
  conn->next = shim->conns;
  shim->conns = conn;
  shim->n_conns++;
  if (ret != NULL)
    *ret = conn;
  return 0;
}

struct conn *conn_find(const struct shim *shim, uint64_t serial)
{
  struct conn *conn = shim->conns;

  while (conn != NULL && conn->serial != serial)
    conn = conn->next;
  return conn;
}

void conn_close(struct conn *conn)
{
  struct shim *shim = conn->shim;

  for (struct conn **at = &shim->conns; *at != NULL; at = &(*at)->next) {
    if (*at != conn)
      continue;
    *at = conn->next;
    break;
  }
  shim->n_conns--;
  for (int i = 0; i < STREAM_COUNT; i++)
    stream_detach(&shim->streams[i], conn);
  action_forget(conn);
  loop_remove(&shim->loop, &conn->source);
  zl_fd_closep(&conn->fd);
  free(conn);
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
