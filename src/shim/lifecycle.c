/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/lifecycle.h"

#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/time.h"
#include "shim/conn.h"
#include "shim/group.h"
#include "shim/record.h"
#include "shim/session.h"
#include "shim/setup.h"

enum {
  OWN_GRACE_MS = 10000, /* what a container gets when the shim itself is asked to end */
  LINGER_MS = 300000    /* how long an attached client may take for the last bytes */
};

/* The end goes on whatever fails; the log of the node's operator gets the reason. */
static void warn(int r, const struct zl_error *err)
{
  if (r < 0)
    zl_warning("%s", err->msg);
}

static void note_state(struct shim *shim)
{
  struct zl_error err = { 0 };

  warn(record_state(shim, &err), &err);
}

static bool is_live(const struct shim *shim)
{
  return shim->status == STATUS_RUNNING || shim->status == STATUS_STOPPING;
}

static void set_timer(struct shim *shim, uint64_t at_ns)
{
  struct itimerspec when = { .it_value = { .tv_sec = (time_t)(at_ns / ZL_NS_PER_S),
                                           .tv_nsec = (long)(at_ns % ZL_NS_PER_S) } };

  shim->kill_at_ns = at_ns;
  (void)timerfd_settime(shim->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

/* ---- The end ------------------------------------------------------------------------------- */

/* A SIGKILL that nobody of ours sent and a kill by the kernel's OOM killer look alike; the counter
 * of the cgroup tells. */
static void tell_oom_apart(struct shim *shim)
{
  bool killed = shim->exit.signal == SIGKILL || shim->exit.code == 128 + SIGKILL;

  if (killed && group_had_oom(shim)) {
    shim->exit.reason = EXIT_OOM_KILLED;
    shim->exit.signal = SIGKILL;
  }
}

static void drain(struct shim *shim)
{
  zl_fd_closep(&shim->container.slave); /* with it open a terminal would never be at its end */
  for (int i = 0; i < STREAM_COUNT; i++)
    stream_finish(&shim->streams[i]);
  zl_fd_closep(&shim->stdin_fd);
  log_close(&shim->log);
}

/* The kernel ends a pid namespace with its first process, and reaps that one last. */
static bool ends_with_init(const struct shim *shim)
{
  const struct zl_namespace *pid = &shim->config->namespaces[ZL_NS_PID];

  return pid->present && pid->path == NULL;
}

/* Everything that is left of the container, in the order that docs/shim.md promises. */
static void conclude(struct shim *shim)
{
  struct zl_error err = { 0 };

  if (!ends_with_init(shim)) {
    warn(group_kill(shim, &err), &err);
    session_kill_all(shim);
    warn(group_wait_empty(shim, &err), &err);
  }
  drain(shim);
  shim->status = STATUS_STOPPED;
  shim->paused = false;
  warn(record_exit(shim, &err), &err);
  warn(record_event(shim, &err), &err);
  conn_announce_exit(shim);
  note_state(shim);
  setup_undo(shim);
  conn_unlisten(shim);
  shim->finished = true;
  set_timer(shim, zl_time_boot() + LINGER_MS * ZL_NS_PER_MS);
}

/* Enough waited for slow clients: they are told of the end without the rest of the output. */
static void end_linger(struct shim *shim)
{
  for (int i = 0; i < STREAM_COUNT; i++)
    stream_close(&shim->streams[i]);
  conn_announce_exit(shim);
}

static void collect_init(struct shim *shim)
{
  int status = 0;
  int r = zl_child_reap(&shim->container.init, &status, NULL);

  if (r == 0)
    lifecycle_await_tracer(shim);
  if (r <= 0)
    return;
  shim->exit = exit_from_status(status);
  tell_oom_apart(shim);
  conclude(shim);
}

static void init_ready(struct source *source, uint32_t events)
{
  struct shim *shim = container_of(source, struct shim, init_source);

  (void)events;
  loop_remove(&shim->loop, &shim->init_source);
  shim->init_ended = true;
  collect_init(shim);
}

/* ---- Requests ------------------------------------------------------------------------------ */

/* The process has reported why it cannot execute and is about to end. */
static void fail_start(struct shim *shim, const struct zl_error *failure)
{
  loop_remove(&shim->loop, &shim->init_source);
  zl_child_kill(&shim->container.init);
  shim->exit = exit_from_error(failure);
  conclude(shim);
}

int lifecycle_start(struct shim *shim, struct zl_error *err)
{
  int r;

  if (is_live(shim))
    return 0;
  if (shim->status == STATUS_STOPPED)
    return zl_fail(err, ZL_E_CONFLICT, 0, "the container has ended");
  r = zl_container_start(&shim->container, err);
  if (r < 0) {
    fail_start(shim, err);
    return r;
  }
  shim->started_at_ns = zl_time_wall();
  shim->status = STATUS_RUNNING;
  note_state(shim);
  return 0;
}

static int send_signal(struct shim *shim, int signal, struct zl_error *err)
{
  if (signal == SIGKILL) {
    (void)lifecycle_pause(shim, false, NULL);
    return group_kill(shim, err);
  }
  if (pidfd_send_signal(shim->container.init.pidfd, signal, NULL, 0) < 0 && errno != ESRCH)
    return zl_fail_errno(err, "sending signal %d", signal);
  return 0;
}

int lifecycle_kill(struct shim *shim, int signal, struct zl_error *err)
{
  if (is_live(shim) || (shim->status == STATUS_CREATED && signal == SIGKILL))
    return send_signal(shim, signal, err);
  return zl_fail(err, ZL_E_CONFLICT, 0, "the container does not run");
}

int lifecycle_stop(struct shim *shim, int signal, uint64_t grace_ms, struct zl_error *err)
{
  uint64_t at = zl_time_boot() + grace_ms * ZL_NS_PER_MS;
  int r;

  if (shim->status == STATUS_STOPPED)
    return 0;
  if (shim->status == STATUS_CREATED)
    return send_signal(shim, SIGKILL, err);
  r = send_signal(shim, signal, err);
  if (r < 0)
    return r;
  (void)lifecycle_pause(shim, false, NULL); /* a frozen process cannot end itself */
  if (shim->status == STATUS_RUNNING) {
    shim->status = STATUS_STOPPING;
    note_state(shim);
  }
  if (grace_ms == 0)
    return send_signal(shim, SIGKILL, err);
  if (shim->kill_at_ns == 0 || at < shim->kill_at_ns)
    set_timer(shim, at);
  return 0;
}

int lifecycle_pause(struct shim *shim, bool paused, struct zl_error *err)
{
  int r;

  if (!is_live(shim))
    return zl_fail(err, ZL_E_CONFLICT, 0, "the container does not run");
  if (shim->paused == paused)
    return 0;
  r = group_freeze(shim, paused, err);
  if (r < 0)
    return r;
  shim->paused = paused;
  return 0;
}

/* ---- Events -------------------------------------------------------------------------------- */

static void timer_ready(struct source *source, uint32_t events)
{
  struct shim *shim = container_of(source, struct shim, timer_source);
  struct zl_error err = { 0 };
  uint64_t count;

  (void)events;
  if (read(shim->timer_fd, &count, sizeof(count)) < 0)
    return;
  shim->kill_at_ns = 0;
  if (is_live(shim))
    warn(send_signal(shim, SIGKILL, &err), &err);
  else if (shim->finished)
    end_linger(shim);
}

void lifecycle_await_tracer(struct shim *shim)
{
  sigset_t both;

  (void)sigemptyset(&both);
  (void)sigaddset(&both, SIGTERM);
  (void)sigaddset(&both, SIGCHLD);
  (void)signalfd(shim->signal_fd, &both, 0);
}

static void child_signalled(struct shim *shim)
{
  if (shim->init_ended && shim->container.init.pidfd >= 0)
    collect_init(shim);
  session_retry(shim);
}

/* SIGTERM: whoever manages the machine wants us gone, which must not mean a sudden death of the
 * workload. Everything else that can be blocked is ignored. */
static void signal_ready(struct source *source, uint32_t events)
{
  struct shim *shim = container_of(source, struct shim, signal_source);
  struct signalfd_siginfo info;
  struct zl_error err = { 0 };

  (void)events;
  if (read(shim->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
    return;
  if (info.ssi_signo == SIGCHLD)
    child_signalled(shim);
  if (info.ssi_signo != SIGTERM)
    return;
  if (shim->finished)
    end_linger(shim);
  else
    warn(lifecycle_stop(shim, setup_stop_signal(shim), OWN_GRACE_MS, &err), &err);
}

int lifecycle_watch(struct shim *shim, struct zl_error *err)
{
  sigset_t term;

  (void)sigemptyset(&term);
  (void)sigaddset(&term, SIGTERM);
  shim->signal_fd = signalfd(-1, &term, SFD_CLOEXEC | SFD_NONBLOCK);
  shim->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
  if (shim->signal_fd < 0 || shim->timer_fd < 0)
    return zl_fail_errno(err, "timer and signal descriptors");
  if (loop_add(&shim->loop, &shim->signal_source, shim->signal_fd, EPOLLIN, signal_ready, err) <
          0 ||
      loop_add(&shim->loop, &shim->timer_source, shim->timer_fd, EPOLLIN, timer_ready, err) < 0 ||
      loop_add(&shim->loop, &shim->init_source, shim->container.init.pidfd, EPOLLIN, init_ready,
               err) < 0)
    return -(int)err->code;
  return 0;
}
