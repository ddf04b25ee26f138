/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/lifecycle.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/signals.h"
#include "base/time.h"
#include "shim/conn.h"
#include "shim/keeper.h"
#include "shim/record.h"
#include "shim/watch.h"

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
  shim->kill_at_ns = at_ns;
  watch_set_timer(shim, at_ns);
}

/* ---- The end ------------------------------------------------------------------------------- */

static void drain(struct shim *shim)
{
  for (int i = 0; i < STREAM_COUNT; i++)
    stream_finish(&shim->streams[i]);
  zl_fd_closep(&shim->stdin_fd);
  log_close(&shim->log);
}

/* Everything that is left of the container, in the order that docs/shim.md promises. */
void lifecycle_ended(struct shim *shim, const struct exit_record *record)
{
  struct zl_error err = { 0 }, ended = { 0 };

  if (shim->status == STATUS_STOPPED)
    return;
  shim->exit = *record;
  shim->keeper->clear(shim);
  drain(shim);
  shim->status = STATUS_STOPPED;
  shim->paused = false;
  warn(record_exit(shim, &err), &err);
  if (!shim->settings.unrecorded)
    warn(record_event(shim, &err), &err);
  shim->starting = shim->pausing = false;
  (void)zl_fail(&ended, ZL_E_CONFLICT, 0, "the container has just ended");
  conn_announce(shim, OWED_START, shim->start_failure != NULL ? shim->start_failure : &ended);
  conn_announce(shim, OWED_PAUSE, &ended);
  conn_announce_exit(shim);
  note_state(shim);
  shim->keeper->undo(shim);
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

/* ---- Requests ------------------------------------------------------------------------------ */

void lifecycle_started(struct shim *shim)
{
  shim->starting = false;
  if (shim->status == STATUS_CREATED) {
    shim->started_at_ns = zl_time_wall();
    shim->status = STATUS_RUNNING;
    note_state(shim);
  }
  conn_announce(shim, OWED_START, NULL);
}

void lifecycle_start_failed(struct shim *shim, const struct zl_error *failure)
{
  struct exit_record record = exit_from_error(failure);

  shim->start_failure = failure;
  lifecycle_ended(shim, &record);
}

int lifecycle_start(struct shim *shim, struct zl_error *err)
{
  struct exit_record record;
  int r;

  if (is_live(shim))
    return 0;
  if (shim->status == STATUS_STOPPED)
    return zl_fail(err, ZL_E_CONFLICT, 0, "the container has ended");
  if (shim->starting)
    return 1;
  r = shim->keeper->start(shim, err);
  if (r < 0) {
    record = exit_from_error(err);
    lifecycle_ended(shim, &record);
  } else if (r > 0) {
    shim->starting = true;
  } else {
    lifecycle_started(shim);
  }
  return r;
}

static int send_signal(struct shim *shim, int signal, struct zl_error *err)
{
  if (signal == ZL_SIGNAL_KILL)
    (void)lifecycle_pause(shim, false, NULL);
  return shim->keeper->signal(shim, signal, err);
}

int lifecycle_kill(struct shim *shim, int signal, struct zl_error *err)
{
  if (is_live(shim) || (shim->status == STATUS_CREATED && signal == ZL_SIGNAL_KILL))
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
    return send_signal(shim, ZL_SIGNAL_KILL, err);
  r = send_signal(shim, signal, err);
  if (r < 0)
    return r;
  (void)lifecycle_pause(shim, false, NULL); /* a frozen process cannot end itself */
  if (shim->status == STATUS_RUNNING) {
    shim->status = STATUS_STOPPING;
    note_state(shim);
  }
  if (grace_ms == 0)
    return send_signal(shim, ZL_SIGNAL_KILL, err);
  if (shim->kill_at_ns == 0 || at < shim->kill_at_ns)
    set_timer(shim, at);
  return 0;
}

int lifecycle_pause(struct shim *shim, bool paused, struct zl_error *err)
{
  int r;

  if (!is_live(shim))
    return zl_fail(err, ZL_E_CONFLICT, 0, "the container does not run");
  if (shim->pausing)
    return shim->pausing_to == paused
               ? 1
               : zl_fail(err, ZL_E_CONFLICT, 0, "the container is just being %s",
                         paused ? "resumed" : "paused");
  if (shim->paused == paused)
    return 0;
  r = shim->keeper->freeze(shim, paused, err);
  if (r < 0)
    return r;
  shim->pausing_to = paused;
  shim->pausing = r > 0;
  if (r == 0)
    shim->paused = paused;
  return r;
}

void lifecycle_paused(struct shim *shim, const struct zl_error *failure)
{
  shim->pausing = false;
  if (failure == NULL)
    shim->paused = shim->pausing_to;
  conn_announce(shim, OWED_PAUSE, failure);
}

/* ---- Events -------------------------------------------------------------------------------- */

void lifecycle_timer(struct shim *shim)
{
  struct zl_error err = { 0 };

  shim->kill_at_ns = 0;
  if (is_live(shim))
    warn(send_signal(shim, ZL_SIGNAL_KILL, &err), &err);
  else if (shim->finished)
    end_linger(shim);
}

/* Whoever manages the machine wants us gone, which must not mean a sudden death of the workload. */
void lifecycle_asked_to_end(struct shim *shim)
{
  struct zl_error err = { 0 };

  if (shim->finished)
    end_linger(shim);
  else
    warn(lifecycle_stop(shim, shim->settings.stop_signal, OWN_GRACE_MS, &err), &err);
}
