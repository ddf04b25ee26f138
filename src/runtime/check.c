/* SPDX-License-Identifier: Apache-2.0
 *
 * zl_system_check: what the database says against what the host has, in both directions. An
 * operation in progress holds its container's lock and is left alone.
 */
#include "runtime/check.h"

#include <string.h>
#include <sys/stat.h>

#include "base/path.h"
#include "base/proc.h"

/* Tells about one finding; the caller's non-zero answer ends the check. */
int zl_check_report(struct zl_check *check, const char *kind, const char *name, const char *detail,
                    bool repaired)
{
  struct zl_finding finding = {
    .kind = kind, .name = name, .detail = detail, .repaired = repaired
  };

  if (!repaired)
    check->left++;
  if (check->fn != NULL && check->fn(check->payload, &finding) != 0)
    check->enough = true;
  return check->enough ? 1 : 0;
}

/* ---- Rows without the host object ---- */

static bool repair_row(struct zl_check *check, const struct zl_record *record,
                       enum zl_presence presence)
{
  struct zl_observation seen;

  if (!check->repair)
    return false;
  if (presence == ZL_PRESENCE_LOST)
    return zl_observe(check->rt, record, &seen, NULL) == 0 && zl_has_ended(&seen);
  return zl_dismantle(check->rt, record->id, record->backend, NULL) == 0;
}

/* Made to be removed at its end, never started, and who would have started it is dead. */
static bool is_abandoned(const struct zl_record *record, const struct zl_facts *facts)
{
  uint64_t start = 0;

  if (!record->auto_remove || record->creator_pid == 0 || facts->presence != ZL_PRESENCE_CREATED)
    return false;
  return zl_proc_start_time(record->creator_pid, &start, NULL) < 0 ||
         start != record->creator_start;
}

static int report_row(struct zl_check *check, const struct zl_record *record,
                      const struct zl_facts *facts, bool abandoned)
{
  bool is_lost = facts->presence == ZL_PRESENCE_LOST;
  bool repaired = repair_row(check, record, facts->presence);

  if (repaired && !is_lost)
    zl_node_forget_lock(check->rt, record->id);
  return zl_check_report(check, is_lost ? "shim" : "container", record->id,
                         is_lost     ? "the process that kept this container was killed"
                         : abandoned ? "its maker died before starting it"
                                     : "its creation or removal was interrupted",
                         repaired);
}

static int check_row(struct zl_check *check, const struct zl_record *record, struct zl_error *err)
{
  struct zl_backend *backend = NULL;
  struct zl_facts facts = { 0 };
  zl_autofd lock = -1;
  bool abandoned;
  int r;

  if (!zl_node_try_lock_of(check->rt, record, &lock))
    return 0;
  r = zl_backend_get(check->rt, record->backend, &backend, err);
  if (r == 0)
    r = zl_backend_state(backend, record->id, &facts, err);
  if (r < 0)
    return zl_context(r, err, "container '%s'", record->id);
  abandoned = is_abandoned(record, &facts);
  if (facts.presence != ZL_PRESENCE_LOST && facts.presence != ZL_PRESENCE_NONE && !abandoned)
    return 0;
  if (facts.presence == ZL_PRESENCE_LOST)
    zl_fd_closep(&lock); /* observing takes it itself */
  return report_row(check, record, &facts, abandoned);
}

static int check_rows(struct zl_check *check, struct zl_error *err)
{
  struct zl_record *records = NULL;
  size_t n = 0;
  int r = zl_record_list(check->rt, &records, &n, err);

  for (size_t i = 0; r == 0 && i < n; i++)
    r = check_row(check, &records[i], err);
  zl_records_free(records, n);
  return r;
}

/* ---- Host objects without a row ---- */

/* True when the container is in the database now. */
static bool repair_unknown(struct zl_check *check, const char *id, bool *ret_adopted)
{
  *ret_adopted = zl_take_over(check->rt, id, NULL) == 0;
  if (*ret_adopted)
    return true;
  if (zl_dismantle(check->rt, id, NULL, NULL) < 0)
    return false;
  zl_node_forget_lock(check->rt, id);
  return true;
}

static int check_unknown(struct zl_check *check, const char *id, struct zl_error *err)
{
  zl_autorecord record = { 0 };
  zl_autofd lock = -1;
  struct stat st;
  bool has_dir, adopted = false, repaired;
  int r;

  if (!zl_node_try_lock(check->rt, id, &lock))
    return 0;
  r = zl_record_load(check->rt, id, &record, err);
  if (r != -ZL_E_NOT_FOUND)
    return r;
  has_dir = fstatat(check->rt->containers_fd, id, &st, AT_SYMLINK_NOFOLLOW) == 0;
  repaired = check->repair && repair_unknown(check, id, &adopted);
  if (!check->repair || !repaired)
    check->strangers = true;
  if (!adopted)
    zl_node_forget_lock(check->rt, id);
  return zl_check_report(check, has_dir ? "container" : "cgroup", id,
                         adopted   ? "was not in the database; it has been taken back"
                         : has_dir ? "is on this host but not in the database"
                                   : "belongs to no container",
                         repaired);
}

struct ids {
  char **items;
  struct zl_error *err;
  int r;
};

static int collect_id(void *payload, const char *id)
{
  struct ids *ids = payload;

  ids->r = zl_strv_push(&ids->items, id, ids->err);
  return ids->r;
}

static int check_host(struct zl_check *check, struct zl_error *err)
{
  struct ids ids = { .err = err };
  int r = zl_enumerate(check->rt, collect_id, &ids, err);

  if (r == 0)
    r = ids.r;
  for (size_t i = 0; r == 0 && ids.items != NULL && ids.items[i] != NULL; i++)
    r = check_unknown(check, ids.items[i], err);
  zl_strv_free(ids.items);
  return r;
}

/* ---- All ---- */

/* What backends keep beside containers. */
static int check_backends(struct zl_check *check, struct zl_error *err)
{
  return zl_backends_sweep(check->rt, check, err);
}

int zl_system_check(struct zl_runtime *rt, bool repair, zl_finding_fn fn, void *payload,
                    size_t *ret_left, struct zl_error *err)
{
  static int (*const steps[])(struct zl_check *, struct zl_error *) = {
    check_rows,     check_host,       zl_check_directories, zl_check_rows_alone,
    zl_check_locks, zl_check_network, zl_check_layers,      check_backends,
  };
  struct zl_check check = { .rt = rt, .repair = repair, .fn = fn, .payload = payload };
  int r = 0;

  for (size_t i = 0; r == 0 && !check.enough && i < ZL_COUNT(steps); i++)
    r = steps[i](&check, err);
  if (r < 0)
    return r;
  if (ret_left != NULL)
    *ret_left = check.left;
  return 0;
}
