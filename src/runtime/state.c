/* SPDX-License-Identifier: Apache-2.0
 *
 * The truth about one container: facts of the host over the intent in its row.
 */
#include <stdio.h>
#include <string.h>

#include "runtime/node.h"

static void set_failed(struct zl_observation *seen, const char *why)
{
  seen->state.state = ZL_STATE_FAILED;
  seen->state.outcome = (struct zl_outcome){ .exit_code = 125, .reason = ZL_EXIT_RUNTIME_ERROR };
  (void)snprintf(seen->state.reason, sizeof(seen->state.reason), "%s", why);
  (void)snprintf(seen->state.outcome.message, sizeof(seen->state.outcome.message), "%s", why);
}

static void translate(const struct zl_facts *facts, struct zl_observation *seen)
{
  static const enum zl_state states[] = {
    [ZL_PRESENCE_NONE] = ZL_STATE_PENDING,    [ZL_PRESENCE_CREATED] = ZL_STATE_INITIALIZING,
    [ZL_PRESENCE_RUNNING] = ZL_STATE_RUNNING, [ZL_PRESENCE_STOPPING] = ZL_STATE_STOPPING,
    [ZL_PRESENCE_ENDED] = ZL_STATE_EXITED,    [ZL_PRESENCE_LOST] = ZL_STATE_PENDING,
  };

  *seen =
      (struct zl_observation){ .started_at_ns = facts->started_at_ns, .presence = facts->presence };
  seen->state.state = states[facts->presence];
  seen->state.paused = facts->paused;
  seen->state.pid = facts->pid;
  if (facts->presence != ZL_PRESENCE_ENDED)
    return;
  seen->state.outcome = facts->outcome;
  if (facts->outcome.reason == ZL_EXIT_RUNTIME_ERROR) {
    seen->state.state = ZL_STATE_FAILED;
    (void)snprintf(seen->state.reason, sizeof(seen->state.reason), "%s", facts->outcome.message);
  }
}

static bool is_unclear(const struct zl_facts *facts)
{
  return facts->presence == ZL_PRESENCE_NONE || facts->presence == ZL_PRESENCE_LOST;
}

static const char *why_lost(struct zl_runtime *rt, const struct zl_record *record,
                            const struct zl_facts *facts)
{
  if (strcmp(record->boot_id, rt->boot_id) != 0)
    return "the machine was restarted while it existed";
  return facts->presence == ZL_PRESENCE_NONE ? "its creation or removal was interrupted; remove it"
                                             : "the process that kept it was killed";
}

/* Its keeper is dead: what it left on the host goes, and the end is written down once, so that
 * everybody sees the same time and reason from now on. */
static int reap(struct zl_runtime *rt, struct zl_backend *backend, const struct zl_record *record,
                struct zl_facts *facts, struct zl_error *err)
{
  zl_autofd dir = -1;
  bool written = false;
  int r = zl_backend_state(backend, record->id, facts, err);

  if (r < 0 || facts->presence != ZL_PRESENCE_LOST)
    return r;
  r = zl_backend_remove(backend, record->id, err);
  if (r == 0)
    r = zl_node_container_dir(rt, record->id, &dir, err);
  if (r == 0)
    r = zl_ending_write_lost(dir, why_lost(rt, record, facts), &written, err);
  if (r < 0)
    return r;
  if (written)
    zl_event_emit(rt, "container", "die", record->id, why_lost(rt, record, facts));
  return zl_backend_state(backend, record->id, facts, err);
}

/* Nothing there, or nobody who keeps it: either somebody is making or removing it at this moment,
 * which the operation lock proves, or that somebody died. */
static int observe_unclear(struct zl_runtime *rt, struct zl_backend *backend,
                           const struct zl_record *record, struct zl_facts *facts,
                           struct zl_observation *ret, struct zl_error *err)
{
  zl_autofd lock = -1;
  int r;

  if (!zl_node_try_lock_of(rt, record, &lock)) {
    r = zl_backend_state(backend, record->id, facts, err);
    translate(facts, ret);
    return r;
  }
  r = reap(rt, backend, record, facts, err);
  if (r < 0)
    return r;
  translate(facts, ret);
  if (is_unclear(facts))
    set_failed(ret, why_lost(rt, record, facts));
  return 0;
}

int zl_observe(struct zl_runtime *rt, const struct zl_record *record, struct zl_observation *ret,
               struct zl_error *err)
{
  struct zl_backend *backend = NULL;
  struct zl_facts facts = { 0 };
  int r = zl_backend_get(rt, record->backend, &backend, err);

  if (r == 0)
    r = zl_backend_state(backend, record->id, &facts, err);
  if (r == 0 && is_unclear(&facts))
    return observe_unclear(rt, backend, record, &facts, ret, err);
  if (r == 0)
    translate(&facts, ret);
  return r;
}

void zl_remove_if_due(struct zl_runtime *rt, const struct zl_record *record,
                      const struct zl_observation *seen)
{
  zl_autofd lock = -1;

  if (!record->auto_remove || !zl_has_ended(seen) || !zl_node_try_lock_of(rt, record, &lock))
    return;
  if (zl_dismantle(rt, record->id, record->backend, NULL) == 0) {
    zl_event_emit(rt, "container", "remove", record->id, NULL);
    zl_node_forget_lock(rt, record->id);
  }
}

int zl_container_state(struct zl_runtime *rt, const char *id, struct zl_container_state *ret,
                       struct zl_error *err)
{
  zl_autorecord record = { 0 };
  struct zl_observation seen;
  int r = zl_record_find(rt, id, &record, err);

  if (r == 0)
    r = zl_observe(rt, &record, &seen, err);
  if (r < 0)
    return r;
  zl_remove_if_due(rt, &record, &seen);
  *ret = seen.state;
  return 0;
}
