/* SPDX-License-Identifier: Apache-2.0
 *
 * A container that runs: what its command writes, its end, what it is told.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/compiler.h"
#include "base/json.h"
#include "base/time.h"
#include "runtime/hcs/instance_private.h"
#include "runtime/hcs/statistics.h"
#include "runtime/runtime.h"

enum {
  CHUNK = 32 << 10,
  DRAIN_MS = 2000 /* from the command's end: children of it may hold its pipes for ever */
};

/* ---- Facts ---- */

void zl_hcs_instance_status(struct zl_hcs_instance *instance, struct zl_hcs_status *ret)
{
  (void)pthread_mutex_lock(&instance->lock);
  *ret = instance->status;
  (void)pthread_mutex_unlock(&instance->lock);
}

static void wait_a_while(struct zl_hcs_instance *c, uint64_t left_ns)
{
  uint64_t at = zl_time_wall() + (left_ns < ZL_NS_PER_S ? left_ns : ZL_NS_PER_S);
  struct timespec until = { .tv_sec = (time_t)(at / ZL_NS_PER_S),
                            .tv_nsec = (long)(at % ZL_NS_PER_S) };

  (void)pthread_cond_timedwait(&c->changed, &c->lock, &until);
}

static bool wait_ended(struct zl_hcs_instance *c, uint64_t deadline_ns)
{
  bool ended;

  (void)pthread_mutex_lock(&c->lock);
  while (c->status.phase != ZL_HCS_ENDED) {
    uint64_t now = zl_time_boot();

    if (now >= deadline_ns)
      break;
    wait_a_while(c, deadline_ns - now);
  }
  ended = c->status.phase == ZL_HCS_ENDED;
  (void)pthread_mutex_unlock(&c->lock);
  return ended;
}

int zl_hcs_instance_wait(struct zl_hcs_instance *instance, uint64_t deadline_ns,
                         struct zl_error *err)
{
  return wait_ended(instance, deadline_ns)
             ? 0
             : zl_fail(err, ZL_E_TIMEOUT, 0, "container '%s' has not ended", instance->id);
}

/* ---- Threads ---- */

static void read_stream(struct zl_hcs_instance *c, struct zl_byte_stream *stream, bool is_err)
{
  ZL_UNCLEARED char data[CHUNK];
  int got;

  while ((got = stream->read(stream->ctx, data, sizeof(data), NULL)) > 0)
    if (c->hooks.output != NULL)
      c->hooks.output(c->hooks.ctx, is_err, data, (size_t)got);
}

/* The streams' ends are waited for by whoever holds `lock`. */
static void *read_out(void *ctx)
{
  struct zl_hcs_instance *c = ctx;

  read_stream(c, &c->task->out, false);
  (void)pthread_mutex_lock(&c->lock);
  c->out_done = true;
  (void)pthread_cond_broadcast(&c->changed);
  (void)pthread_mutex_unlock(&c->lock);
  return NULL;
}

static void *read_err(void *ctx)
{
  struct zl_hcs_instance *c = ctx;

  read_stream(c, &c->task->err, true);
  (void)pthread_mutex_lock(&c->lock);
  c->err_done = true;
  (void)pthread_cond_broadcast(&c->changed);
  (void)pthread_mutex_unlock(&c->lock);
  return NULL;
}

static bool is_drained(const struct zl_hcs_instance *c)
{
  return (!c->has_out || c->out_done) && (!c->has_err || c->err_done);
}

static void drain(struct zl_hcs_instance *c)
{
  uint64_t deadline = zl_time_boot() + DRAIN_MS * ZL_NS_PER_MS;
  bool drained;

  (void)pthread_mutex_lock(&c->lock);
  while (!is_drained(c) && zl_time_boot() < deadline)
    wait_a_while(c, deadline - zl_time_boot());
  drained = is_drained(c);
  (void)pthread_mutex_unlock(&c->lock);
  if (drained)
    return;
  if (c->task->out.ctx != NULL)
    c->task->out.stop(c->task->out.ctx);
  if (c->task->err.ctx != NULL)
    c->task->err.stop(c->task->err.ctx);
}

static void join_readers(struct zl_hcs_instance *c)
{
  if (c->has_out)
    (void)pthread_join(c->reader_out, NULL);
  if (c->has_err)
    (void)pthread_join(c->reader_err, NULL);
  c->has_out = c->has_err = false;
}

/* The code is noted before the system is ended, so that nothing of that changes it. */
static void note_exit(struct zl_hcs_instance *c, int r, uint32_t code, const struct zl_error *why)
{
  (void)pthread_mutex_lock(&c->lock);
  c->status.code_known = r == 0;
  c->status.code = code;
  c->status.finished_at_ns = zl_time_wall();
  if (r < 0)
    (void)snprintf(c->status.why, sizeof(c->status.why), "%.250s", why->msg);
  (void)pthread_mutex_unlock(&c->lock);
}

static void end_system(struct zl_hcs_instance *c)
{
  if (c->in_machine && !zl_hcs_system_has_exited(c->system))
    (void)zl_hcs_guest_shutdown(c->guest, c->id, false, zl_hcs_instance_end_ms(c), NULL);
  (void)zl_hcs_system_end(c->system, c->in_machine, NULL);
}

static void *watch_command(void *ctx)
{
  struct zl_hcs_instance *c = ctx;
  struct zl_error why = { 0 };
  uint32_t code = 0;
  int r = zl_hcs_task_wait(c->task, UINT64_MAX, &code, &why);

  note_exit(c, r, code, &why);
  drain(c);
  end_system(c); /* with it ends what nobody could call off: a read of a machine's socket */
  join_readers(c);
  (void)pthread_mutex_lock(&c->lock);
  c->status.phase = ZL_HCS_ENDED;
  (void)pthread_cond_broadcast(&c->changed);
  (void)pthread_mutex_unlock(&c->lock);
  if (c->hooks.ended != NULL)
    c->hooks.ended(c->hooks.ctx);
  return NULL;
}

static int start_thread(pthread_t *thread, bool *has, void *(*fn)(void *),
                        struct zl_hcs_instance *c, struct zl_error *err)
{
  int code = pthread_create(thread, NULL, fn, c);

  *has = code == 0;
  return code == 0 ? 0 : zl_fail(err, ZL_E_SYSTEM, code, "starting a thread of the container");
}

int zl_hcs_instance_watch(struct zl_hcs_instance *c, struct zl_error *err)
{
  int r = 0;

  c->out_done = c->err_done = false;
  if (c->task->out.ctx != NULL)
    r = start_thread(&c->reader_out, &c->has_out, read_out, c, err);
  if (r == 0 && c->task->err.ctx != NULL)
    r = start_thread(&c->reader_err, &c->has_err, read_err, c, err);
  if (r < 0)
    return r;
  (void)pthread_mutex_lock(&c->lock);
  c->status.phase = ZL_HCS_RUNNING;
  c->status.pid = c->task->pid;
  c->status.started_at_ns = zl_time_wall();
  (void)pthread_mutex_unlock(&c->lock);
  r = start_thread(&c->waiter, &c->has_waiter, watch_command, c, err);
  if (r < 0) {
    (void)pthread_mutex_lock(&c->lock);
    c->status = (struct zl_hcs_status){ .phase = ZL_HCS_CREATED };
    (void)pthread_mutex_unlock(&c->lock);
  }
  return r;
}

void zl_hcs_instance_join(struct zl_hcs_instance *c)
{
  if (c->has_waiter)
    (void)pthread_join(c->waiter, NULL);
  c->has_waiter = false;
  if (c->task != NULL && (c->has_out || c->has_err))
    drain(c);
  join_readers(c);
}

/* ---- What it is told ---- */

static bool runs(struct zl_hcs_instance *c)
{
  struct zl_hcs_status status;

  zl_hcs_instance_status(c, &status);
  return status.phase == ZL_HCS_RUNNING;
}

static int not_running(const struct zl_hcs_instance *c, struct zl_error *err)
{
  return zl_fail(err, ZL_E_CONFLICT, 0, "container '%s' does not run", c->id);
}

static void note_force(struct zl_hcs_instance *c)
{
  (void)pthread_mutex_lock(&c->lock);
  if (!c->status.code_known)
    c->status.forced = true;
  (void)pthread_mutex_unlock(&c->lock);
}

int zl_hcs_instance_signal(struct zl_hcs_instance *instance, enum zl_hcs_signal signal,
                           struct zl_error *err)
{
  if (!runs(instance))
    return not_running(instance, err);
  if (signal == ZL_HCS_TERMINATE)
    note_force(instance);
  return zl_hcs_task_signal(instance->task, signal, err);
}

/* By force: the command, and if that does not help the system, which ends all in it. */
static int force(struct zl_hcs_instance *c, struct zl_error *err)
{
  uint32_t end_ms = zl_hcs_instance_end_ms(c);
  int r;

  note_force(c);
  r = zl_hcs_task_signal(c->task, ZL_HCS_TERMINATE, NULL);
  if (r == 0 && wait_ended(c, zl_time_boot() + end_ms * ZL_NS_PER_MS))
    return 0;
  r = zl_hcs_system_end(c->system, true, err);
  if (r < 0)
    return r;
  return wait_ended(c, zl_time_boot() + end_ms * ZL_NS_PER_MS)
             ? 0
             : zl_fail(err, ZL_E_TIMEOUT, 0, "its end was not told");
}

static int stop(struct zl_hcs_instance *c, enum zl_hcs_signal signal, uint64_t grace_ms,
                struct zl_error *err)
{
  struct zl_hcs_status status;

  zl_hcs_instance_status(c, &status);
  if (status.phase != ZL_HCS_RUNNING)
    return 0;
  if (signal != ZL_HCS_TERMINATE && zl_hcs_task_signal(c->task, signal, NULL) == 0 &&
      wait_ended(c, zl_time_boot() + grace_ms * ZL_NS_PER_MS))
    return 0;
  return force(c, err);
}

int zl_hcs_instance_stop(struct zl_hcs_instance *instance, enum zl_hcs_signal signal,
                         uint64_t grace_ms, struct zl_error *err)
{
  int r;

  (void)pthread_mutex_lock(&instance->turn);
  r = stop(instance, signal, grace_ms, err);
  (void)pthread_mutex_unlock(&instance->turn);
  return r < 0 ? zl_context(r, err, "stopping container '%s'", instance->id) : 0;
}

int zl_hcs_instance_write(struct zl_hcs_instance *instance, const void *data, size_t len,
                          struct zl_error *err)
{
  struct zl_hcs_instance *c = instance;

  if (!runs(c))
    return not_running(c, err);
  if (c->task->in.ctx == NULL)
    return zl_fail(err, ZL_E_CONFLICT, 0, "container '%s' reads no input (stdin_open)", c->id);
  return c->task->in.write(c->task->in.ctx, data, len, err);
}

int zl_hcs_instance_finish_input(struct zl_hcs_instance *instance, struct zl_error *err)
{
  return runs(instance) ? zl_hcs_task_finish_input(instance->task, err)
                        : not_running(instance, err);
}

int zl_hcs_instance_resize(struct zl_hcs_instance *instance, unsigned rows, unsigned cols,
                           struct zl_error *err)
{
  struct zl_hcs_instance *c = instance;

  if (!c->console)
    return zl_fail(err, ZL_E_CONFLICT, 0, "container '%s' has no terminal", c->id);
  return runs(c) ? zl_hcs_task_resize(c->task, rows, cols, err) : not_running(c, err);
}

/* ---- Sessions ---- */

static void count_exec(struct zl_hcs_instance *c, int by)
{
  (void)pthread_mutex_lock(&c->lock);
  c->execs = (unsigned)((int)c->execs + by);
  (void)pthread_mutex_unlock(&c->lock);
}

int zl_hcs_instance_exec(struct zl_hcs_instance *instance,
                         const struct zl_hcs_task_options *options, struct zl_hcs_task **ret,
                         struct zl_error *err)
{
  struct zl_hcs_instance *c = instance;
  int r;

  count_exec(c, 1); /* from here on nothing is removed */
  r = runs(c)
          ? zl_hcs_task_start(c->in_machine ? NULL : c->system, c->guest, c->id, options, ret, err)
          : not_running(c, err);
  if (r < 0)
    count_exec(c, -1);
  return r;
}

void zl_hcs_instance_exec_close(struct zl_hcs_instance *instance, struct zl_hcs_task *task)
{
  zl_hcs_task_close(task);
  count_exec(instance, -1);
}

int zl_hcs_instance_pause(struct zl_hcs_instance *instance, bool freeze, struct zl_error *err)
{
  return runs(instance) ? zl_hcs_system_pause(instance->system, freeze, err)
                        : not_running(instance, err);
}

int zl_hcs_instance_stats(struct zl_hcs_instance *instance, struct zl_stats *ret,
                          struct zl_error *err)
{
  struct zl_hcs_instance *c = instance;
  zl_autojson *query = NULL, *properties = NULL;
  int r;

  if (!runs(c))
    return not_running(c, err);
  if (c->in_machine) {
    r = zl_hcs_guest_properties(c->guest, c->id, ZL_RPC_STATISTICS, &properties, err);
  } else {
    r = zl_hcs_doc_properties(ZL_HCS_ASK_STATISTICS, &query, err);
    if (r == 0)
      r = zl_hcs_system_properties(c->system, query, &properties, err);
  }
  if (r == 0)
    r = zl_hcs_parse_statistics(properties, ret, err);
  if (r < 0)
    return r;
  ret->online_cpus = c->node->cpus;
  ret->memory_limit = c->memory_limit;
  ret->pids_limit = UINT64_MAX;
  return 0;
}
