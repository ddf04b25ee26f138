/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/actions.h"

#include "base/json.h"
#include "base/limits.h"
#include "shim/keeper.h"
#include "shim/lifecycle.h"
#include "shim/record.h"

/* Each answers on success and fills *err otherwise. */
typedef int (*action_fn)(struct conn *conn, struct request *request, struct zl_error *err);

static int answered(struct conn *conn, int r)
{
  if (r == 0)
    conn_ok(conn);
  return r;
}

/* The answer comes when it is over. */
static int owe(struct conn *conn, enum owed what, struct zl_error *err)
{
  if (conn->owed[what] >= ZL_MAX_CONTROL_WAITS)
    return zl_fail(err, ZL_E_LIMIT, 0, "more than %d answers are owed", ZL_MAX_CONTROL_WAITS);
  conn->owed[what]++;
  return 0;
}

static int run_start(struct conn *conn, struct request *request, struct zl_error *err)
{
  int r = lifecycle_start(conn->shim, err);

  (void)request;
  return r > 0 ? owe(conn, OWED_START, err) : answered(conn, r);
}

static int run_state(struct conn *conn, struct request *request, struct zl_error *err)
{
  const struct shim *shim = conn->shim;
  bool stopped = shim->status == STATUS_STOPPED;

  (void)request;
  (void)err;
  conn_send(conn,
            json_pack("{s:b, s:s, s:b, s:i, s:I, s:s*}", "ok", 1, "status",
                      record_status_name(shim->status), "paused", shim->paused, "pid",
                      stopped ? 0 : (int)shim->pid, "started_at_ns",
                      (json_int_t)shim->started_at_ns, "tier", shim->tier),
            NULL, 0);
  return 0;
}

static int run_kill(struct conn *conn, struct request *request, struct zl_error *err)
{
  return answered(conn, lifecycle_kill(conn->shim, request->signal, err));
}

/* Answered by conn_announce_exit, which for an ended container comes at once. */
static int wait_for_exit(struct conn *conn, struct zl_error *err)
{
  if (conn->exit_waits >= ZL_MAX_CONTROL_WAITS)
    return zl_fail(err, ZL_E_LIMIT, 0, "more than %d answers are owed", ZL_MAX_CONTROL_WAITS);
  conn->exit_waits++;
  if (conn->shim->status == STATUS_STOPPED)
    conn_announce_exit(conn->shim);
  return 0;
}

static int run_stop(struct conn *conn, struct request *request, struct zl_error *err)
{
  int r = lifecycle_stop(conn->shim, request->signal, request->grace_ms, err);

  return r < 0 ? r : wait_for_exit(conn, err);
}

static int run_wait(struct conn *conn, struct request *request, struct zl_error *err)
{
  (void)request;
  return wait_for_exit(conn, err);
}

static int run_pause(struct conn *conn, struct request *request, struct zl_error *err)
{
  int r = lifecycle_pause(conn->shim, request->op == OP_PAUSE, err);

  return r > 0 ? owe(conn, OWED_PAUSE, err) : answered(conn, r);
}

static int run_stats(struct conn *conn, struct request *request, struct zl_error *err)
{
  (void)request;
  if (conn->shim->status == STATUS_STOPPED)
    return zl_fail(err, ZL_E_CONFLICT, 0, "the container does not run");
  return conn->shim->keeper->stats(conn, err);
}

static int attach_streams(struct conn *conn, struct request *request, struct zl_error *err)
{
  struct shim *shim = conn->shim;
  bool terminal = shim->settings.terminal;
  size_t wanted = terminal ? 1 : 2;

  if (!terminal && request->n_fds != 2)
    return zl_fail(err, ZL_E_INVALID, 0, "attach takes two descriptors: stdout and stderr");
  for (size_t i = 0; i < wanted; i++) {
    int r = stream_attach(&shim->streams[i], request->fds[i], conn, err);

    if (r < 0)
      return r;
    request->fds[i] = -1;
  }
  return 0;
}

static int run_attach(struct conn *conn, struct request *request, struct zl_error *err)
{
  struct shim *shim = conn->shim;
  bool has_stdin = shim->stdin_fd >= 0;
  int r;

  if (conn->attached)
    return zl_fail(err, ZL_E_CONFLICT, 0, "this connection is attached already");
  if (shim->status != STATUS_STOPPED) {
    r = attach_streams(conn, request, err);
    if (r < 0) {
      for (int i = 0; i < STREAM_COUNT; i++)
        stream_detach(&shim->streams[i], conn);
      return r;
    }
  }
  conn->attached = true;
  conn_send(conn,
            json_pack("{s:b, s:b, s:b, s:b}", "ok", 1, "tty", shim->settings.terminal, "stdin",
                      has_stdin, "resize", shim->keeper->resize != NULL),
            &shim->stdin_fd, has_stdin ? 1 : 0);
  /* With a terminal the stream reads from its own copy, and every client may have one. */
  if (!shim->settings.terminal || shim->keeper->streams_with_terminal)
    zl_fd_closep(&shim->stdin_fd);
  conn_settle(conn);
  return 0;
}

/* Only programs of this host's own terminals have none: their clients set the size themselves. */
static int run_resize(struct conn *conn, struct request *request, struct zl_error *err)
{
  const struct keeper *keeper = conn->shim->keeper;

  if (keeper->resize == NULL)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0, "the size is set on the terminal itself");
  keeper->resize(conn, request->rows, request->cols);
  return 0;
}

/* To the process that this connection has executed; one that has ended needs none. No answer: it
 * could be taken for that of the exec. */
static int run_signal(struct conn *conn, struct request *request, struct zl_error *err)
{
  const struct keeper *keeper = conn->shim->keeper;

  if (keeper->signal_session == NULL)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0, "its pid is the host's own");
  if (conn->has_session)
    keeper->signal_session(conn, request->signal);
  return 0;
}

/* Whether a further process may be started is the same for every keeper; which descriptors belong
 * to it depends on its terminal. */
static int check_exec(const struct conn *conn, const struct request *request, struct zl_error *err)
{
  const struct shim *shim = conn->shim;
  bool terminal = json_is_true(json_object_get(request->process, "terminal"));

  if (shim->status != STATUS_RUNNING && shim->status != STATUS_STOPPING)
    return zl_fail(err, ZL_E_CONFLICT, 0, "the container does not run");
  if (shim->paused)
    return zl_fail(err, ZL_E_CONFLICT, 0, "the container is paused");
  if (conn->has_session)
    return zl_fail(err, ZL_E_CONFLICT, 0, "a process of this connection is still running");
  if (shim->n_sessions >= ZL_MAX_EXEC_SESSIONS)
    return zl_fail(err, ZL_E_LIMIT, 0, "%d processes are being executed already",
                   ZL_MAX_EXEC_SESSIONS);
  if (request->bound && shim->keeper->signal_session == NULL)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0, "exec: bound: is for processes in machines");
  if (request->n_fds != (terminal && !shim->keeper->streams_with_terminal ? 0 : 3))
    return zl_fail(err, ZL_E_INVALID, 0, "exec takes three descriptors, or none with a terminal");
  return 0;
}

static int run_exec(struct conn *conn, struct request *request, struct zl_error *err)
{
  int r = check_exec(conn, request, err);

  return r < 0 ? r : conn->shim->keeper->exec(conn, request, err);
}

static const action_fn actions[OP_COUNT] = {
  [OP_START] = run_start,  [OP_STATE] = run_state,   [OP_KILL] = run_kill,
  [OP_STOP] = run_stop,    [OP_WAIT] = run_wait,     [OP_PAUSE] = run_pause,
  [OP_RESUME] = run_pause, [OP_STATS] = run_stats,   [OP_ATTACH] = run_attach,
  [OP_EXEC] = run_exec,    [OP_RESIZE] = run_resize, [OP_SIGNAL] = run_signal,
};

void action_run(struct conn *conn, struct request *request)
{
  struct zl_error err = { 0 };

  if (actions[request->op](conn, request, &err) < 0)
    conn_fail(conn, &err);
}

void action_forget(struct conn *conn)
{
  conn->shim->keeper->forget(conn);
}
