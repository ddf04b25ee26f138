/* SPDX-License-Identifier: Apache-2.0
 *
 * Further processes of the container. Each has threads for its streams, which copy between it and
 * the client's pipes, and one that waits for its end.
 */
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/strv.h"
#include "base/time.h"
#include "runtime/hcs/command.h"
#include "shim/conn.h"
#include "shim/hcs/hcs.h"
#include "shim/win32/loop.h"

enum {
  CHUNK = 16 << 10,
  STEP_MS = 50,
  DRAIN_MS = 2000,  /* after its end, while nothing more comes: children may hold its pipes */
  LINGER_MS = 10000 /* while the client does not read */
};

struct hcs_session {
  struct hcs_shim *hcs;
  struct hcs_session *next;
  uint64_t serial; /* of the connection */
  bool terminal, bound, started;
  json_t *parameters;
  int in, out, err; /* the client's ends */
  int stop_in;      /* an event: no more input is wanted */
  struct zl_hcs_task *task;
  pthread_t threads[3];
  bool has_thread[3];
  atomic_uint passed; /* changes with each piece of output */
  struct exit_record exit;
  struct zl_error failure;
};

static struct hcs_session *sessions; /* of the loop's thread */

static struct hcs_session *find(const struct conn *conn)
{
  struct hcs_session *s = sessions;

  while (s != NULL && s->serial != conn->serial)
    s = s->next;
  return s;
}

static struct conn *conn_of(const struct hcs_session *s)
{
  return conn_find(&s->hcs->shim, s->serial);
}

static void session_free(struct hcs_session *s)
{
  for (struct hcs_session **at = &sessions; *at != NULL; at = &(*at)->next) {
    if (*at != s)
      continue;
    *at = s->next;
    s->hcs->shim.n_sessions--;
    break;
  }
  zl_fd_closep(&s->in);
  zl_fd_closep(&s->out);
  zl_fd_closep(&s->err);
  zl_fd_closep(&s->stop_in);
  zl_json_decref(&s->parameters);
  free(s);
}

/* ---- Its streams ---- */

static bool has_input(const struct hcs_session *s)
{
  struct pollfd fds[] = { { .fd = s->in, .events = POLLIN },
                          { .fd = s->stop_in, .events = POLLIN } };

  return poll(fds, 2, -1) > 0 && fds[1].revents == 0;
}

static void *copy_in(void *ctx)
{
  struct hcs_session *s = ctx;
  char chunk[CHUNK];
  ssize_t n;

  while (has_input(s) && (n = read(s->in, chunk, sizeof(chunk))) > 0)
    if (s->task->in.write(s->task->in.ctx, chunk, (size_t)n, NULL) < 0)
      break;
  (void)zl_hcs_task_finish_input(s->task, NULL);
  return NULL;
}

/* A client that has gone loses the rest; the process goes on. */
static void copy_out(struct hcs_session *s, struct zl_byte_stream *from, int *to)
{
  char chunk[CHUNK];
  int n;

  while ((n = from->read(from->ctx, chunk, sizeof(chunk), NULL)) > 0) {
    if (*to >= 0 && zl_fd_write_full(*to, chunk, (size_t)n) < 0)
      zl_fd_closep(to);
    atomic_fetch_add(&s->passed, 1);
  }
  zl_fd_closep(to);
}

static void *copy_stdout(void *ctx)
{
  struct hcs_session *s = ctx;

  copy_out(s, &s->task->out, &s->out);
  return NULL;
}

static void *copy_stderr(void *ctx)
{
  struct hcs_session *s = ctx;

  copy_out(s, &s->task->err, &s->err);
  return NULL;
}

static void start_thread(struct hcs_session *s, int i, bool wanted, void *(*fn)(void *))
{
  s->has_thread[i] = wanted && pthread_create(&s->threads[i], NULL, fn, s) == 0;
}

static bool is_over(const struct hcs_session *s, int i)
{
  return !s->has_thread[i] ||
         WaitForSingleObject((HANDLE)pthread_gethandle(s->threads[i]), 0) == WAIT_OBJECT_0;
}

/* Waits while output comes; then the readers and writers are called off. */
static void drain(struct hcs_session *s)
{
  unsigned seen = atomic_load(&s->passed);
  uint64_t since = zl_time_boot(), begun = since;

  while (!is_over(s, 1) || !is_over(s, 2)) {
    uint64_t now = zl_time_boot();
    unsigned passed = atomic_load(&s->passed);

    if (passed != seen)
      since = now;
    seen = passed;
    if (now - since > DRAIN_MS * ZL_NS_PER_MS && s->task->out.ctx != NULL)
      s->task->out.stop(s->task->out.ctx);
    if (now - since > DRAIN_MS * ZL_NS_PER_MS && s->task->err.ctx != NULL)
      s->task->err.stop(s->task->err.ctx);
    for (int i = 1; i < 3 && now - begun > LINGER_MS * ZL_NS_PER_MS; i++)
      if (!is_over(s, i))
        (void)CancelSynchronousIo((HANDLE)pthread_gethandle(s->threads[i]));
    Sleep(STEP_MS / 10);
  }
}

static void join(struct hcs_session *s)
{
  (void)write(s->stop_in, &(uint64_t){ 1 }, sizeof(uint64_t));
  for (int i = 0; i < 3; i++)
    if (s->has_thread[i])
      (void)pthread_join(s->threads[i], NULL);
}

/* ---- Its life ---- */

static bool was_ended(const struct hcs_session *s)
{
  struct zl_hcs_status status;

  zl_hcs_instance_status(s->hcs->instance, &status);
  return status.forced || status.phase == ZL_HCS_ENDED || status.finished_at_ns != 0;
}

static void note_exit(struct hcs_session *s, int r, uint32_t code, const struct zl_error *why)
{
  if (r == 0)
    s->exit = (struct exit_record){ .code = (int)code,
                                    .reason = EXIT_EXITED,
                                    .finished_at_ns = zl_time_wall() };
  else if (was_ended(s)) /* with its container */
    s->exit = exit_killed();
  else
    s->exit = exit_from_error(why);
}

static void run_wait(void *ctx)
{
  struct hcs_session *s = ctx;
  struct zl_error why = { 0 };
  uint32_t code = 0;
  int r;

  start_thread(s, 0, s->task->in.ctx != NULL, copy_in);
  start_thread(s, 1, s->task->out.ctx != NULL, copy_stdout);
  start_thread(s, 2, s->task->err.ctx != NULL, copy_stderr);
  r = zl_hcs_task_wait(s->task, UINT64_MAX, &code, &why);
  drain(s);
  join(s);
  note_exit(s, r, code, &why);
}

/* In the loop. The client reads the end of its pipes before the event. */
static void finished(void *ctx)
{
  struct hcs_session *s = ctx;
  struct conn *conn = conn_of(s);

  zl_hcs_instance_exec_close(s->hcs->instance, s->task);
  zl_fd_closep(&s->out);
  zl_fd_closep(&s->err);
  if (conn != NULL) {
    conn->has_session = false;
    conn_send(conn, json_pack("{s:s, s:o}", "event", "exit", "exit", exit_render(&s->exit)), NULL,
              0);
  }
  session_free(s);
}

static void run_start(void *ctx)
{
  struct hcs_session *s = ctx;
  const struct zl_hcs_task_options options = {
    .parameters = s->parameters, .in = true, .out = true, .err = !s->terminal
  };

  (void)zl_hcs_instance_exec(s->hcs->instance, &options, &s->task, &s->failure);
}

/* In the loop. */
static void started(void *ctx)
{
  struct hcs_session *s = ctx;
  struct conn *conn = conn_of(s);

  if (s->failure.code == ZL_OK && loop_work(run_wait, finished, s, &s->failure) < 0) {
    (void)zl_hcs_task_signal(s->task, ZL_HCS_TERMINATE, NULL);
    zl_hcs_instance_exec_close(s->hcs->instance, s->task);
  }
  s->started = s->failure.code == ZL_OK;
  if (conn != NULL && s->failure.code != ZL_OK) {
    conn->has_session = false;
    conn_fail(conn, &s->failure);
  } else if (conn != NULL) {
    conn_send(
        conn,
        json_pack("{s:b, s:i, s:b}", "ok", 1, "pid", (int)s->task->pid, "resize", (int)s->terminal),
        NULL, 0);
  }
  if (s->failure.code != ZL_OK)
    session_free(s);
}

/* ---- What it is ---- */

/* The container's own, with what the client wants otherwise. */
struct wanted {
  struct zl_service service;
  char **args;
  struct zl_pair *env;
  char **entries;
};

static void wanted_done(struct wanted *w)
{
  zl_strv_free(w->args);
  zl_strv_free(w->entries);
  free(w->env);
}

static int add_env(struct wanted *w, const json_t *process, struct zl_error *err)
{
  size_t own = w->service.env.count, n;
  int r = zl_json_get_strv(process, "process", "env", ZL_MAX_LIST, &w->entries, err);

  if (r < 0)
    return r;
  n = zl_strv_len((const char *const *)w->entries);
  w->env = calloc(own + n + 1, sizeof(*w->env));
  if (w->env == NULL)
    return zl_fail_nomem(err, "environment");
  for (size_t i = 0; i < own; i++)
    w->env[i] = w->service.env.items[i];
  for (size_t i = 0; i < n; i++) {
    char *equal = strchr(w->entries[i], '=');

    if (equal == NULL)
      return zl_fail(err, ZL_E_INVALID, 0, "'%.80s' is not KEY=value", w->entries[i]);
    *equal = '\0';
    w->env[own + i] = (struct zl_pair){ w->entries[i], equal + 1 };
  }
  w->service.env = (struct zl_pairs){ w->env, own + n };
  return 0;
}

static int read_process(const struct hcs_shim *hcs, const json_t *process, struct wanted *w,
                        struct zl_error *err)
{
  const char *cwd = NULL, *user = NULL;
  int r = zl_json_get_strv(process, "process", "args", ZL_MAX_LIST, &w->args, err);

  w->service = hcs->bundle.service;
  if (r == 0)
    r = zl_json_get_string(process, "process", "cwd", &cwd, err);
  if (r == 0)
    r = zl_json_get_string(process, "process", "zlayerUser", &user, err);
  if (r == 0 && w->args == NULL)
    r = zl_fail(err, ZL_E_INVALID, 0, "process.args: missing");
  if (r < 0)
    return r;
  w->service.command =
      (struct zl_command){ .entrypoint = w->args,
                           .workdir = cwd != NULL ? (char *)(uintptr_t)cwd
                                                  : hcs->bundle.service.command.workdir };
  if (user != NULL)
    w->service.user = (char *)(uintptr_t)user;
  return add_env(w, process, err);
}

static int read_size(const json_t *process, struct zl_hcs_process *to, struct zl_error *err)
{
  json_t *size = NULL;
  int64_t rows = 0, cols = 0;
  int r = zl_json_get_object(process, "process", "consoleSize", &size, err);

  if (r == 0)
    r = zl_json_get_int(size, "consoleSize", "height", 0, UINT16_MAX, 0, &rows, err);
  if (r == 0)
    r = zl_json_get_int(size, "consoleSize", "width", 0, UINT16_MAX, 0, &cols, err);
  to->rows = (unsigned)rows;
  to->cols = (unsigned)cols;
  return r;
}

static int make_parameters(struct hcs_session *s, const json_t *process, struct zl_error *err)
{
  ZL_CLEANUP(wanted_done) struct wanted w = { .args = NULL };
  zl_autohcscommand command = { 0 };
  struct zl_hcs_process what = { .field = "exec", .in = true, .out = true, .err = !s->terminal };
  int r = read_process(s->hcs, process, &w, err);

  if (r == 0)
    r = zl_hcs_command_merge(&w.service, &s->hcs->bundle.image, &command, err);
  if (r == 0 && s->terminal)
    r = read_size(process, &what, err);
  if (r < 0)
    return r;
  what.line = command.line;
  what.directory = command.directory;
  what.user = command.user;
  what.env = command.env;
  what.console = s->terminal;
  return zl_hcs_doc_parameters(&what, &s->parameters, err);
}

int hcs_session_start(struct conn *conn, struct request *request, struct zl_error *err)
{
  struct hcs_session *s = calloc(1, sizeof(*s));
  int r;

  if (s == NULL)
    return zl_fail_nomem(err, "exec");
  *s =
      (struct hcs_session){ .hcs = hcs_of(conn->shim),
                            .serial = conn->serial,
                            .terminal = json_is_true(json_object_get(request->process, "terminal")),
                            .bound = request->bound,
                            .in = -1,
                            .out = -1,
                            .err = -1,
                            .stop_in = eventfd(0, 0) };
  r = s->stop_in < 0 ? zl_fail_errno(err, "exec") : make_parameters(s, request->process, err);
  if (r == 0)
    r = loop_work(run_start, started, s, err);
  if (r < 0) {
    session_free(s);
    return r;
  }
  s->in = zl_steal_fd(&request->fds[0]);
  s->out = zl_steal_fd(&request->fds[1]);
  s->err = zl_steal_fd(&request->fds[2]);
  s->next = sessions;
  sessions = s;
  conn->shim->n_sessions++;
  conn->has_session = true;
  return 0;
}

/* ---- What it is told ---- */

/* Short calls, for which the loop waits: its thread is the one that lets go of the process. */
static void tell_session(struct hcs_session *s, enum zl_hcs_signal signal)
{
  if (s->started)
    (void)zl_hcs_task_signal(s->task, signal, NULL);
}

void hcs_session_forget(struct conn *conn)
{
  struct hcs_session *s = find(conn);

  if (s != NULL && s->bound)
    tell_session(s, ZL_HCS_TERMINATE);
}

void hcs_session_signal(struct conn *conn, int signal)
{
  struct hcs_session *s = find(conn);
  enum zl_hcs_signal event;

  if (s != NULL && hcs_signal_of(s->hcs, signal, &event, NULL) == 0)
    tell_session(s, event);
}

bool hcs_session_resize(struct conn *conn, unsigned rows, unsigned cols)
{
  struct hcs_session *s = find(conn);

  if (s == NULL)
    return false;
  if (s->started && s->terminal)
    (void)zl_hcs_task_resize(s->task, rows, cols, NULL);
  return true;
}
