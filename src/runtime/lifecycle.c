/* SPDX-License-Identifier: Apache-2.0
 *
 * Operations on a container that exists. None takes the operation lock: the backend puts them in
 * order, and a container that is removed meanwhile is simply gone.
 */
#include <stdio.h>

#include "runtime/host.h"

struct target {
  struct zl_record record;
  struct zl_backend *backend;
};

static void target_done(struct target *target)
{
  zl_record_done(&target->record);
}
#define zl_autotarget ZL_CLEANUP(target_done) struct target

static int find(struct zl_runtime *rt, const char *id, struct target *ret, struct zl_error *err)
{
  int r = zl_record_find_quick(rt, id, &ret->record);

  if (r < 0)
    r = zl_record_find(rt, id, &ret->record, err);
  return r < 0 ? r : zl_backend_get(rt, ret->record.backend, &ret->backend, err);
}

/* After a backend said that it cannot: the truth may be the better explanation. */
static int explain(struct zl_runtime *rt, const struct zl_record *record, const char *doing, int r,
                   struct zl_error *err)
{
  struct zl_observation seen;

  if (zl_observe(rt, record, &seen, NULL) < 0)
    return r;
  zl_remove_if_due(rt, record, &seen);
  if (r == -ZL_E_CONFLICT && zl_has_ended(&seen))
    return zl_fail(err, ZL_E_CONFLICT, 0, "%s container '%s': it has %s%s%s", doing, record->id,
                   seen.state.state == ZL_STATE_EXITED ? "ended" : "failed",
                   *seen.state.reason != '\0' ? ": " : "", seen.state.reason);
  return zl_context(r, err, "%s container '%s'", doing, record->id);
}

int zl_start(struct zl_runtime *rt, const char *id, struct zl_error *err)
{
  zl_autotarget target = { 0 };
  int r = find(rt, id, &target, err);

  if (r < 0)
    return r;
  r = zl_backend_start(target.backend, target.record.id, err);
  if (r < 0)
    return explain(rt, &target.record, "starting", r, err);
  zl_event_emit(rt, "container", "start", target.record.id, NULL);
  return 0;
}

static int finish_stop(struct zl_runtime *rt, const struct zl_record *record, struct zl_error *err)
{
  struct zl_observation seen;
  int r = zl_observe(rt, record, &seen, err);

  if (r == 0)
    zl_remove_if_due(rt, record, &seen);
  return r;
}

int zl_stop(struct zl_runtime *rt, const char *id, int64_t grace_ms, struct zl_error *err)
{
  zl_autotarget target = { 0 };
  zl_autodescription description = { 0 };
  struct zl_observation seen;
  uint64_t grace;
  int r = find(rt, id, &target, err);

  if (r == 0)
    r = zl_observe(rt, &target.record, &seen, err);
  if (r < 0)
    return r;
  if (zl_has_ended(&seen)) {
    zl_remove_if_due(rt, &target.record, &seen);
    return 0;
  }
  r = zl_description_parse(target.record.config, &description, err);
  if (r < 0)
    return r;
  grace = grace_ms < 0 ? description.stop_grace_ms : (uint64_t)grace_ms;
  r = zl_backend_stop(target.backend, target.record.id, description.stop_signal, grace, err);
  if (r < 0)
    return zl_context(r, err, "stopping container '%s'", target.record.id);
  zl_event_emit(rt, "container", "stop", target.record.id, NULL);
  return finish_stop(rt, &target.record, err);
}

int zl_kill(struct zl_runtime *rt, const char *id, int signal, struct zl_error *err)
{
  zl_autotarget target = { 0 };
  char detail[16];
  int r = find(rt, id, &target, err);

  if (r == 0 && (signal < 1 || signal > zl_host_max_signal()))
    return zl_fail(err, ZL_E_INVALID, 0, "%d is not a signal", signal);
  if (r < 0)
    return r;
  r = zl_backend_kill(target.backend, target.record.id, signal, err);
  if (r < 0)
    return explain(rt, &target.record, "signalling", r, err);
  (void)snprintf(detail, sizeof(detail), "%d", signal);
  zl_event_emit(rt, "container", "kill", target.record.id, detail);
  return 0;
}

/* A container that somebody is making has no keeper to ask yet: its maker's lock is waited for. */
static int await_creation(struct zl_runtime *rt, const struct zl_record *record,
                          uint64_t deadline_ns, struct zl_error *err)
{
  struct timespec step = { .tv_nsec = 5 * (long)ZL_NS_PER_MS };
  struct zl_observation seen;
  int r;

  for (;;) {
    r = zl_observe(rt, record, &seen, err);
    if (r < 0 || seen.state.state != ZL_STATE_PENDING)
      return r;
    if (zl_time_boot() >= deadline_ns)
      return zl_fail(err, ZL_E_TIMEOUT, 0, "container '%s' has not been made in time", record->id);
    (void)nanosleep(&step, NULL);
  }
}

static uint64_t deadline_of(int64_t timeout_ms)
{
  uint64_t now = zl_time_boot();

  if (timeout_ms < 0 || (uint64_t)timeout_ms > (UINT64_MAX - now) / ZL_NS_PER_MS)
    return UINT64_MAX;
  return now + (uint64_t)timeout_ms * ZL_NS_PER_MS;
}

int zl_wait(struct zl_runtime *rt, const char *id, int64_t timeout_ms, struct zl_outcome *ret,
            struct zl_error *err)
{
  zl_autotarget target = { 0 };
  uint64_t deadline_ns = deadline_of(timeout_ms);
  struct zl_observation seen;
  int r = find(rt, id, &target, err);

  while (r == 0) {
    r = zl_observe(rt, &target.record, &seen, err);
    if (r < 0)
      return r;
    if (zl_has_ended(&seen))
      break;
    r = seen.state.state == ZL_STATE_PENDING
            ? await_creation(rt, &target.record, deadline_ns, err)
            : zl_backend_wait(target.backend, target.record.id, deadline_ns, -1, err);
  }
  if (r < 0)
    return r;
  zl_remove_if_due(rt, &target.record, &seen);
  *ret = seen.state.outcome;
  return 0;
}

static int freeze(struct zl_runtime *rt, const char *id, bool on, struct zl_error *err)
{
  zl_autotarget target = { 0 };
  int r = find(rt, id, &target, err);

  if (r < 0)
    return r;
  r = zl_backend_pause(target.backend, target.record.id, on, err);
  if (r < 0)
    return explain(rt, &target.record, on ? "pausing" : "resuming", r, err);
  zl_event_emit(rt, "container", on ? "pause" : "unpause", target.record.id, NULL);
  return 0;
}

int zl_pause(struct zl_runtime *rt, const char *id, struct zl_error *err)
{
  return freeze(rt, id, true, err);
}

int zl_unpause(struct zl_runtime *rt, const char *id, struct zl_error *err)
{
  return freeze(rt, id, false, err);
}

int zl_container_stats(struct zl_runtime *rt, const char *id, struct zl_stats *ret,
                       struct zl_error *err)
{
  zl_autotarget target = { 0 };
  int r = find(rt, id, &target, err);

  if (r < 0)
    return r;
  r = zl_backend_stats(target.backend, target.record.id, ret, err);
  return r < 0 ? explain(rt, &target.record, "measuring", r, err) : 0;
}

/* ---- Sessions ---- */

int zl_attach_open(struct zl_runtime *rt, const char *id, struct zl_session **ret,
                   struct zl_error *err)
{
  zl_autotarget target = { 0 };
  int r = find(rt, id, &target, err);

  if (r < 0)
    return r;
  r = zl_backend_attach(target.backend, target.record.id, ret, err);
  return r < 0 ? explain(rt, &target.record, "attaching to", r, err) : 0;
}

int zl_exec_open(struct zl_runtime *rt, const char *id, const struct zl_exec_options *options,
                 struct zl_session **ret, struct zl_error *err)
{
  zl_autotarget target = { 0 };
  int r;

  if (options->argv == NULL || options->argv[0] == NULL || *options->argv[0] == '\0')
    return zl_fail(err, ZL_E_INVALID, 0, "exec in container '%s': the command is empty", id);
  r = find(rt, id, &target, err);
  if (r < 0)
    return r;
  r = zl_backend_exec(target.backend, target.record.id, options, ret, err);
  return r < 0 ? explain(rt, &target.record, "exec in", r, err) : 0;
}
