/* SPDX-License-Identifier: Apache-2.0
 *
 * The container's first process, from its gate to its end.
 */
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>

#include "base/log.h"
#include "shim/keeper.h"
#include "shim/lifecycle.h"
#include "shim/process/group.h"
#include "shim/process/netns.h"
#include "shim/process/session.h"
#include "shim/process/setup.h"
#include "shim/watch.h"

static int prepare(struct shim *shim, int argc, char **argv, struct zl_error *err)
{
  if (argc == 0)
    return 0;
  if (argc != 1 || strcmp(argv[0], "early-netns") != 0)
    return zl_fail(err, ZL_E_INVALID, 0, "arguments");
  return shim->dir_fd >= 0 ? 0 : netns_prepare(process_of(shim), err);
}

/* ---- The end ------------------------------------------------------------------------------- */

/* A SIGKILL that nobody of ours sent and a kill by the kernel's OOM killer look alike; the counter
 * of the cgroup tells. */
static void tell_oom_apart(const struct process_shim *self, struct exit_record *record)
{
  bool killed = record->signal == SIGKILL || record->code == 128 + SIGKILL;

  if (killed && group_had_oom(self)) {
    record->reason = EXIT_OOM_KILLED;
    record->signal = SIGKILL;
  }
}

static void collect_init(struct process_shim *self)
{
  struct exit_record record;
  int status = 0;
  int r = zl_child_reap(&self->container.init, &status, NULL);

  if (r == 0)
    watch_await_tracer(&self->shim);
  if (r <= 0)
    return;
  record = exit_from_status(status);
  tell_oom_apart(self, &record);
  lifecycle_ended(&self->shim, &record);
}

static void init_ready(struct source *source, uint32_t events)
{
  struct process_shim *self = container_of(source, struct process_shim, init_source);

  (void)events;
  loop_remove(&self->shim.loop, &self->init_source);
  self->init_ended = true;
  collect_init(self);
}

static int watch(struct shim *shim, struct zl_error *err)
{
  struct process_shim *self = process_of(shim);

  return loop_add(&shim->loop, &self->init_source, self->container.init.pidfd, EPOLLIN, init_ready,
                  err);
}

static void child_signalled(struct shim *shim)
{
  struct process_shim *self = process_of(shim);

  if (self->init_ended && self->container.init.pidfd >= 0)
    collect_init(self);
  session_retry(self);
}

/* The kernel ends a pid namespace with its first process, and reaps that one last. */
static bool ends_with_init(const struct process_shim *self)
{
  const struct zl_namespace *pid = &self->config->namespaces[ZL_NS_PID];

  return pid->present && pid->path == NULL;
}

static void warn(int r, const struct zl_error *err)
{
  if (r < 0)
    zl_warning("%s", err->msg);
}

static void clear(struct shim *shim)
{
  struct process_shim *self = process_of(shim);
  struct zl_error err = { 0 };

  if (!ends_with_init(self)) {
    warn(group_kill(self, &err), &err);
    session_kill_all(self);
    warn(group_wait_empty(self, &err), &err);
  }
  zl_fd_closep(&self->container.slave); /* with it open a terminal would never be at its end */
}

/* ---- Requests ------------------------------------------------------------------------------ */

/* One that cannot be executed has reported why and is about to end. */
static int start(struct shim *shim, struct zl_error *err)
{
  struct process_shim *self = process_of(shim);
  int r = zl_container_start(&self->container, err);

  if (r < 0) {
    loop_remove(&shim->loop, &self->init_source);
    zl_child_kill(&self->container.init);
  }
  return r;
}

static int send_signal(struct shim *shim, int signal, struct zl_error *err)
{
  struct process_shim *self = process_of(shim);

  if (signal == SIGKILL)
    return group_kill(self, err);
  if (pidfd_send_signal(self->container.init.pidfd, signal, NULL, 0) < 0 && errno != ESRCH)
    return zl_fail_errno(err, "sending signal %d", signal);
  return 0;
}

static int freeze(struct shim *shim, bool frozen, struct zl_error *err)
{
  return group_freeze(process_of(shim), frozen, err);
}

static int stats(struct conn *conn, struct zl_error *err)
{
  json_t *values = NULL;
  int r = group_stats(process_of(conn->shim), &values, err);

  if (r == 0)
    conn_send(conn, json_pack("{s:b, s:o}", "ok", 1, "stats", values), NULL, 0);
  return r;
}

const struct keeper process_keeper = {
  .prepare = prepare,
  .load = setup_load,
  .create = setup_create,
  .watch = watch,
  .start = start,
  .signal = send_signal,
  .freeze = freeze,
  .stats = stats,
  .exec = session_start,
  .forget = session_forget,
  .child_signalled = child_signalled,
  .clear = clear,
  .undo = setup_undo,
};
