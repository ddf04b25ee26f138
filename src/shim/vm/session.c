/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/vm/session.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/time.h"
#include "shim/conn.h"
#include "shim/lifecycle.h"
#include "shim/vm/machine.h"

enum {
  NULL_MAJOR = 1,
  NULL_MINOR = 3
};

struct vm_session {
  struct vm_shim *vm;
  struct vm_session *next;
  struct conn *conn; /* NULL: gone */
  uint32_t pid;      /* in the guest; 0: not started yet */
  bool terminal, exited, bound;
  int client_fd; /* the terminal's end for the client, until it has it; -1 */
  struct port *in, *out, *err;
  struct exit_record exit;
};

static struct exit_record record_of(const struct zl_rpc_exit *exit)
{
  struct exit_record record = { .code = (int)exit->exit_code,
                                .reason = EXIT_EXITED,
                                .signal = exit->signal,
                                .finished_at_ns = zl_time_wall() };

  if (exit->signal > 0)
    record.reason = EXIT_SIGNAL;
  if (exit->oom_killed) {
    record.reason = EXIT_OOM_KILLED;
    record.signal = SIGKILL;
  }
  return record;
}

static int wait_for(struct vm_shim *vm, uint32_t pid, zl_bridge_reply_fn fn, void *ctx,
                    struct zl_error *err)
{
  struct zl_rpc_then then = guest_then(fn, ctx, PATIENCE_ENDLESS);

  return zl_rpc_wait(vm->guest.client, vm->shim.id, pid, &then, err);
}

static int execute(struct vm_shim *vm, const struct zl_rpc_process *what, zl_bridge_reply_fn fn,
                   void *ctx, struct zl_error *err)
{
  struct zl_rpc_then then = guest_then(fn, ctx, PATIENCE_EXECUTE);
  int r = guest_check(&vm->guest, err);

  if (r == 0)
    r = zl_rpc_execute(vm->guest.client, vm->shim.id, what, &then, err);
  if (r == 0)
    guest_flush(&vm->guest);
  return r;
}

/* ---- The container's first process --------------------------------------------------------- */

/* It has ended and its streams have: so does the machine. */
static void settle_init(struct port *port, void *ctx)
{
  struct vm_shim *vm = ctx;

  (void)port;
  if (vm->has_exit && port_is_over(vm->init_out) && port_is_over(vm->init_err))
    qemu_kill(&vm->qemu);
}

static void init_exited(void *ctx, int r, const json_t *reply, const struct zl_error *err)
{
  struct vm_shim *vm = ctx;
  struct zl_rpc_exit exit;
  struct zl_error why = { 0 };

  if (r == 0)
    r = zl_rpc_parse_exit(reply, &exit, &why);
  else
    why = *err;
  if (r < 0) {
    vm_fail(vm, &why);
    return;
  }
  if (vm->has_exit)
    return;
  vm->has_exit = true;
  vm->exit = record_of(&exit);
  ports_be_generous(&vm->ports);
  settle_init(NULL, vm);
}

static void fail_start(struct vm_shim *vm, const struct zl_error *why)
{
  if (vm->has_exit)
    return;
  vm->has_exit = true;
  vm->start_failed = true;
  vm->failure = *why;
  if (guest_is_broken(&vm->guest)) {
    vm->failed = true;
    machine_explain(vm, "the virtual machine failed: ", &vm->failure);
  }
  vm->exit = exit_from_error(&vm->failure);
  qemu_kill(&vm->qemu);
}

static void init_started(void *ctx, int r, const json_t *reply, const struct zl_error *err)
{
  struct vm_shim *vm = ctx;
  struct zl_error why = { 0 };

  if (r == 0)
    r = zl_rpc_parse_process_id(reply, &vm->init_pid, &why);
  else
    why = *err;
  if (r == 0)
    r = wait_for(vm, vm->init_pid, init_exited, vm, &why);
  if (r < 0 && zl_bridge_client_is_broken(vm->guest.client))
    vm_fail(vm, &why); /* the machine's fault, not the command's */
  else if (r < 0)
    fail_start(vm, &why);
  else
    lifecycle_started(&vm->shim);
}

static int open_init_ports(struct vm_shim *vm, struct zl_error *err)
{
  struct shim *shim = &vm->shim;
  int r =
      port_to_stream(&vm->ports, &shim->streams[STREAM_OUT], settle_init, vm, &vm->init_out, err);

  if (r == 0 && !shim->settings.terminal)
    r = port_to_stream(&vm->ports, &shim->streams[STREAM_ERR], settle_init, vm, &vm->init_err, err);
  if (r == 0 && vm->stdin_end >= 0) {
    r = port_from_fd(&vm->ports, vm->stdin_end, &vm->init_in, err);
    if (r == 0)
      vm->stdin_end = -1;
  }
  return r;
}

int vm_init_start(struct shim *shim, struct zl_error *err)
{
  struct vm_shim *vm = vm_of(shim);
  struct zl_rpc_process what = { .console = shim->settings.terminal,
                                 .height = vm->rows,
                                 .width = vm->cols };
  int r = open_init_ports(vm, err);

  what.in_port = port_number(vm->init_in);
  what.out_port = port_number(vm->init_out);
  what.err_port = port_number(vm->init_err);
  if (r == 0)
    r = execute(vm, &what, init_started, vm, err);
  return r < 0 ? r : 1;
}

/* ---- Further processes --------------------------------------------------------------------- */

static void session_free(struct vm_session *session)
{
  struct vm_shim *vm = session->vm;

  for (struct vm_session **at = &vm->sessions; *at != NULL; at = &(*at)->next) {
    if (*at != session)
      continue;
    *at = session->next;
    vm->shim.n_sessions--;
    break;
  }
  if (session->conn != NULL)
    session->conn->has_session = false;
  port_close(session->in);
  port_close(session->out);
  port_close(session->err);
  zl_fd_closep(&session->client_fd);
  free(session);
}

static void send_exit(struct vm_session *session)
{
  if (session->conn != NULL)
    conn_send(session->conn,
              json_pack("{s:s, s:o}", "event", "exit", "exit", exit_render(&session->exit)), NULL,
              0);
}

/* The exit event comes after the last byte of output. */
static void settle(struct port *port, void *ctx)
{
  struct vm_session *session = ctx;

  (void)port;
  if (!session->exited || !port_is_over(session->out) || !port_is_over(session->err))
    return;
  send_exit(session);
  session_free(session);
}

static void exited(void *ctx, int r, const json_t *reply, const struct zl_error *err)
{
  struct vm_session *session = ctx;
  struct zl_rpc_exit exit;
  struct zl_error why = { 0 };

  if (session->exited) /* with its machine, which also ended this call */
    return;
  if (r == 0)
    r = zl_rpc_parse_exit(reply, &exit, &why);
  else
    why = *err;
  session->exited = true;
  session->exit = r == 0 ? record_of(&exit) : exit_from_error(&why);
  settle(NULL, session);
}

static int send_signal(struct vm_session *session, int signal, struct zl_error *err)
{
  struct vm_shim *vm = session->vm;
  struct zl_rpc_then then = guest_then(NULL, NULL, PATIENCE_CONTROL);
  int r = guest_check(&vm->guest, err);

  if (r == 0)
    r = zl_rpc_signal(vm->guest.client, vm->shim.id, session->pid, signal, &then, err);
  if (r == 0)
    guest_flush(&vm->guest);
  return r;
}

static void kill_bound(struct vm_session *session)
{
  struct zl_error err = { 0 };

  if (session->bound && !session->exited && session->pid != 0 &&
      send_signal(session, SIGKILL, &err) < 0)
    zl_warning("%s", err.msg);
}

static void started(void *ctx, int r, const json_t *reply, const struct zl_error *err)
{
  struct vm_session *session = ctx;
  struct zl_error why = { 0 };

  if (session->exited)
    return;
  if (r == 0)
    r = zl_rpc_parse_process_id(reply, &session->pid, &why);
  else
    why = *err;
  if (r == 0)
    r = wait_for(session->vm, session->pid, exited, session, &why);
  if (r < 0) {
    if (session->conn != NULL)
      conn_fail(session->conn, &why);
    session_free(session);
    return;
  }
  if (session->conn != NULL)
    conn_send(session->conn,
              json_pack("{s:b, s:i, s:b}", "ok", 1, "pid", (int)session->pid, "resize", 1),
              &session->client_fd, session->terminal ? 1 : 0);
  zl_fd_closep(&session->client_fd);
  if (session->conn == NULL)
    kill_bound(session);
}

static int open_terminal(struct vm_session *session, struct zl_error *err)
{
  zl_autofd in = -1, out = -1;
  int pair[2], r;

  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
    return zl_fail_errno(err, "terminal");
  in = pair[0];
  session->client_fd = pair[1];
  out = zl_fd_copy(in);
  if (out < 0)
    return zl_fail(err, ZL_E_SYSTEM, -zl_steal_fd(&out), "terminal");
  r = port_from_fd(&session->vm->ports, in, &session->in, err);
  if (r < 0)
    return r;
  in = -1;
  r = port_to_fd(&session->vm->ports, out, settle, session, &session->out, err);
  if (r == 0)
    out = -1;
  return r;
}

/* The machine has a null device of its own: for this one no byte and no message has to go there. */
static bool is_null(int fd)
{
  struct stat st;

  return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) &&
         st.st_rdev == makedev(NULL_MAJOR, NULL_MINOR);
}

static int open_input(struct vm_session *session, int *fd, struct zl_error *err)
{
  int r = is_null(*fd) ? 0 : port_from_fd(&session->vm->ports, *fd, &session->in, err);

  if (r == 0 && session->in != NULL)
    *fd = -1;
  return r;
}

static int open_output(struct vm_session *session, int *fd, struct port **ret, struct zl_error *err)
{
  int r = is_null(*fd) ? 0 : port_to_fd(&session->vm->ports, *fd, settle, session, ret, err);

  if (r == 0 && *ret != NULL)
    *fd = -1;
  return r;
}

static int open_pipes(struct vm_session *session, struct request *request, struct zl_error *err)
{
  int r = open_input(session, &request->fds[0], err);

  if (r == 0)
    r = open_output(session, &request->fds[1], &session->out, err);
  return r < 0 ? r : open_output(session, &request->fds[2], &session->err, err);
}

static int run(struct vm_session *session, struct request *request, struct zl_error *err)
{
  struct zl_rpc_process what = { .console = session->terminal, .oci = request->process };
  int r = session->terminal ? open_terminal(session, err) : open_pipes(session, request, err);

  what.in_port = port_number(session->in);
  what.out_port = port_number(session->out);
  what.err_port = port_number(session->err);
  return r < 0 ? r : execute(session->vm, &what, started, session, err);
}

int vm_session_start(struct conn *conn, struct request *request, struct zl_error *err)
{
  struct vm_shim *vm = vm_of(conn->shim);
  struct vm_session *session = calloc(1, sizeof(*session));
  int r;

  if (session == NULL)
    return zl_fail_nomem(err, "exec");
  session->vm = vm;
  session->conn = conn;
  session->client_fd = -1;
  session->bound = request->bound;
  session->terminal = json_is_true(json_object_get(request->process, "terminal"));
  session->next = vm->sessions;
  vm->sessions = session;
  vm->shim.n_sessions++;
  conn->has_session = true;
  r = run(session, request, err);
  if (r < 0)
    session_free(session);
  return r;
}

void vm_session_forget(struct conn *conn)
{
  for (struct vm_session *s = vm_of(conn->shim)->sessions; s != NULL; s = s->next) {
    if (s->conn != conn)
      continue;
    s->conn = NULL;
    kill_bound(s); /* one that is still being started: as soon as it is */
  }
}

void vm_session_signal(struct conn *conn, int signal)
{
  for (struct vm_session *s = vm_of(conn->shim)->sessions; s != NULL; s = s->next)
    if (s->conn == conn && s->pid != 0 && !s->exited)
      (void)send_signal(s, signal, NULL);
}

static uint32_t target_of(const struct conn *conn)
{
  const struct vm_shim *vm = vm_of(conn->shim);

  for (const struct vm_session *s = vm->sessions; s != NULL; s = s->next)
    if (s->conn == conn)
      return s->terminal ? s->pid : 0;
  return vm->shim.settings.terminal ? vm->init_pid : 0;
}

void vm_session_resize(struct conn *conn, unsigned rows, unsigned cols)
{
  struct vm_shim *vm = vm_of(conn->shim);
  struct zl_rpc_then then = guest_then(NULL, NULL, PATIENCE_EXECUTE);
  uint32_t pid = target_of(conn);

  if (pid == 0 && !conn->has_session) { /* told when it starts */
    vm->rows = rows;
    vm->cols = cols;
  }
  if (pid == 0 || guest_check(&vm->guest, NULL) < 0)
    return;
  (void)zl_rpc_resize(vm->guest.client, vm->shim.id, pid, rows, cols, &then, NULL);
  guest_flush(&vm->guest);
}

void vm_session_kill_all(struct vm_shim *vm)
{
  for (struct vm_session *s = vm->sessions; s != NULL; s = s->next) {
    if (!s->exited)
      s->exit = exit_killed();
    s->exited = true;
  }
}

void vm_session_end_all(struct vm_shim *vm)
{
  struct zl_error gone = { 0 };

  (void)zl_fail(&gone, ZL_E_CONFLICT, 0, "the container has ended");
  while (vm->sessions != NULL) {
    struct vm_session *session = vm->sessions;

    if (session->pid != 0)
      send_exit(session);
    else if (session->conn != NULL)
      conn_fail(session->conn, &gone);
    session_free(session);
  }
}
