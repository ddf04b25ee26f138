/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/conn.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "shim/actions.h"
#include "shim/conn_io.h"
#include "shim/text.h"

/* ---- Messages out -------------------------------------------------------------------------- */

void conn_send(struct conn *conn, json_t *json, const int *fds, size_t n_fds)
{
  static const char no_memory[] =
      "{\"ok\":false,\"code\":\"NO_MEMORY\",\"os_error\":0,\"message\":\"out of memory\"}";
  zl_autojson *owned = json;
  zl_autofree char *text = owned != NULL ? json_dumps(owned, JSON_COMPACT) : NULL;
  const char *message = text != NULL ? text : no_memory;

  if (conn_io_send(conn, message, strlen(message), fds, text != NULL ? n_fds : 0) < 0)
    conn->broken = true; /* the loop sees its end next */
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

void conn_message(struct conn *conn, const char *text, size_t len, struct request *request,
                  struct zl_error *err)
{
  if (request_parse(text, len, request, err) < 0)
    conn_fail(conn, err);
  else
    action_run(conn, request);
}

/* ---- Connections --------------------------------------------------------------------------- */

int conn_open(struct shim *shim, int fd, struct conn **ret, struct zl_error *err)
{
  struct conn *conn;
  int r;

  if (shim->n_conns >= ZL_MAX_CONTROL_CONNS)
    return zl_fail(err, ZL_E_LIMIT, 0, "more than %d control connections", ZL_MAX_CONTROL_CONNS);
  conn = calloc(1, sizeof(*conn));
  if (conn == NULL)
    return zl_fail_nomem(err, "connection");
  conn->shim = shim;
  conn->fd = fd;
  conn->serial = ++shim->last_serial;
  r = conn_io_begin(conn, err);
  if (r < 0) {
    free(conn);
    return r;
  }
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
  conn_io_end(conn);
  free(conn);
}
