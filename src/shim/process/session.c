/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/process/session.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>

#include "base/json.h"
#include "base/limits.h"
#include "engine/exec.h"
#include "shim/lifecycle.h"
#include "shim/process/group.h"
#include "shim/watch.h"

struct session {
  struct source source;
  struct process_shim *shim;
  struct session *next;
  struct conn *conn; /* NULL: gone */
  struct zl_child child;
  bool ended; /* but not reaped yet: its tracer still has it */
};

static void session_free(struct session *session)
{
  struct process_shim *shim = session->shim;

  for (struct session **at = &shim->sessions; *at != NULL; at = &(*at)->next) {
    if (*at != session)
      continue;
    *at = session->next;
    shim->shim.n_sessions--;
    break;
  }
  loop_remove(&shim->shim.loop, &session->source);
  zl_fd_closep(&session->child.pidfd);
  free(session);
}

static void collect(struct session *session)
{
  struct conn *conn = session->conn;
  struct exit_record record;
  int status = 0;

  if (zl_child_reap(&session->child, &status, NULL) == 0) {
    watch_await_tracer(&session->shim->shim);
    return;
  }
  record = exit_from_status(status);
  if (conn != NULL) {
    conn->has_session = false;
    conn_send(conn, json_pack("{s:s, s:o}", "event", "exit", "exit", exit_render(&record)), NULL,
              0);
  }
  session_free(session);
}

static void session_ready(struct source *source, uint32_t events)
{
  struct session *session = container_of(source, struct session, source);

  (void)events;
  loop_remove(&session->shim->shim.loop, &session->source);
  session->ended = true;
  collect(session);
}

void session_retry(struct process_shim *shim)
{
  struct session *next;

  for (struct session *session = shim->sessions; session != NULL; session = next) {
    next = session->next;
    if (session->ended)
      collect(session);
  }
}

static int run(struct session *session, const struct request *request,
               const struct zl_process *process, int *ret_master, struct zl_error *err)
{
  struct process_shim *shim = session->shim;
  struct zl_exec_spec spec = { .container = &shim->container,
                               .process = process,
                               .config = shim->config,
                               .stdio = { request->fds[0], request->fds[1], request->fds[2] },
                               .cgroup_fd = group_fd(shim),
                               .hooks = { .ctx = shim, .enter = group_enter } };
  int r = zl_exec_start(&spec, &session->child, ret_master, err);

  if (r < 0)
    return r;
  return loop_add(&shim->shim.loop, &session->source, session->child.pidfd, EPOLLIN, session_ready,
                  err);
}

int session_start(struct conn *conn, struct request *request, struct zl_error *err)
{
  struct process_shim *shim = process_of(conn->shim);
  zl_autoprocess *process = NULL;
  struct session *session;
  zl_autofd master = -1;
  int r = zl_engine_process_parse(request->process, "process", &process, err);

  if (r < 0)
    return r;
  session = calloc(1, sizeof(*session));
  if (session == NULL)
    return zl_fail_nomem(err, "exec");
  *session = (struct session){
    .source = SOURCE_INIT, .shim = shim, .conn = conn, .child = { .pidfd = -1 }
  };
  r = run(session, request, process, &master, err);
  if (r < 0) {
    zl_child_kill(&session->child);
    free(session);
    return r;
  }
  session->next = shim->sessions;
  shim->sessions = session;
  shim->shim.n_sessions++;
  conn->has_session = true;
  conn_send(conn, json_pack("{s:b, s:i}", "ok", 1, "pid", (int)session->child.pid), &master,
            process->terminal ? 1 : 0);
  return 0;
}

void session_kill_all(struct process_shim *shim)
{
  for (struct session *s = shim->sessions; s != NULL; s = s->next)
    (void)pidfd_send_signal(s->child.pidfd, SIGKILL, NULL, 0);
}

void session_forget(struct conn *conn)
{
  for (struct session *s = process_of(conn->shim)->sessions; s != NULL; s = s->next)
    if (s->conn == conn)
      s->conn = NULL;
}
