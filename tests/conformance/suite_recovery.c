/* SPDX-License-Identifier: Apache-2.0
 *
 * Facts over intent: lost databases, killed shims, killed callers.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "box.h"
#include "programs.h"

enum {
  KILLS = 20,
  KILLS_ON_WINDOWS = 8, /* where a lifecycle takes a second under Wine */
  WATCHERS = 5,
  WATCH_STEP_MS = 60
};

struct findings {
  char text[2048];
  size_t count;
};

static int note(void *payload, const struct zl_finding *finding)
{
  struct findings *f = payload;
  size_t len = strlen(f->text);

  assert_non_null(finding->detail);
  (void)snprintf(f->text + len, sizeof(f->text) - len, "%s:%s:%d ", finding->kind, finding->name,
                 finding->repaired);
  f->count++;
  return 0;
}

static void check(bool repair, const char *wanted)
{
  struct findings f = { .text = "" };
  size_t left = 99;

  OK(zl_system_check(box.rt, repair, note, &f, &left, &err));
  assert_string_equal(f.text, wanted);
  assert_int_equal(left, repair ? 0 : f.count);
}

static int note_id(void *payload, const char *id)
{
  struct findings *f = payload;
  size_t len = strlen(f->text);

  (void)snprintf(f->text + len, sizeof(f->text) - len, "%s ", id);
  return 0;
}

static void lose_the_database(void)
{
  static const char *const names[] = { "zlayer.db", "zlayer.db-wal", "zlayer.db-shm" };

  zl_runtime_close(box.rt);
  for (size_t i = 0; i < 3; i++) {
    char path[96];

    (void)snprintf(path, sizeof(path), "%s/%s", box.root, names[i]);
    (void)unlink(path);
  }
  box.rt = box_runtime();
}

/* ---- Lost database
 * -------------------------------------------------------------------------------- */

static void a_clean_node_has_no_findings(void **state)
{
  (void)state;
  box_run("healthy", ARGV(BIN "sleep", "60"));
  check(false, "");
  check(true, "");
}

static void adopt_after_the_database_was_lost(void **state)
{
  struct findings f = { .text = "" };
  struct zl_container_info *list = NULL;
  struct zl_container_state seen;
  int32_t pid;
  size_t n = 0;

  (void)state;
  box_run("survivor", ARGV(BIN "sleep", "60"));
  pid = box_await("survivor", ZL_STATE_RUNNING).pid;
  lose_the_database();
  OK(zl_list(box.rt, &list, &n, &err));
  zl_containers_free(list, n);
  assert_int_equal(n, 0);
  OK(zl_enumerate(box.rt, note_id, &f, &err));
  assert_string_equal(f.text, "survivor-rep-1 ");
  OK(zl_adopt(box.rt, "survivor-rep-1", &err));
  OK(zl_adopt(box.rt, "survivor-rep-1", &err));
  OK(zl_container_state(box.rt, box_id("survivor"), &seen, &err));
  assert_int_equal(seen.state, ZL_STATE_RUNNING);
  assert_int_equal(seen.pid, pid);
  OK(zl_list(box.rt, &list, &n, &err));
  assert_int_equal(n, 1);
  assert_string_equal(list[0].address, "10.220.99.18");
  zl_containers_free(list, n);
  assert_int_equal(box_count("SELECT count(*) FROM leases"), 1);
  FAILS(zl_adopt(box.rt, "nobody-rep-1", &err), ZL_E_NOT_FOUND);
}

static void a_lost_container_is_found_by_its_id(void **state)
{
  struct zl_service *service = box_service("survivor", ARGV(BIN "true"));

  (void)state;
  box_run("survivor", ARGV(BIN "sleep", "60"));
  lose_the_database();
  OK(zl_pull_image(box.rt, box.image, NULL, NULL, &err));
  FAILS(box_create_service(service, &err), ZL_E_CONFLICT);
  lose_the_database();
  (void)box_await("survivor", ZL_STATE_RUNNING);
  zl_service_free(service);
}

static void the_check_takes_lost_containers_back(void **state)
{
  (void)state;
  box_run("survivor", ARGV(BIN "sleep", "60"));
  lose_the_database();
  OK(zl_pull_image(box.rt, box.image, NULL, NULL, &err));
  check(false, "container:survivor-rep-1:0 ");
  check(true, "container:survivor-rep-1:1 ");
  check(false, "");
  (void)box_await("survivor", ZL_STATE_RUNNING);
}

/* ---- Killed shim
 * ----------------------------------------------------------------------------------- */

static bool is_dead(void *ctx)
{
  return box_is_dead(*(int32_t *)ctx);
}

static void a_killed_shim_fails_its_container(void **state)
{
  struct zl_container_state seen;
  struct zl_outcome outcome;

  (void)state;
  if (!box.real)
    return;
  box_run("orphaned", ARGV(BIN "sleep", "60"));
  seen = box_await("orphaned", ZL_STATE_RUNNING);
  box_kill_shim("orphaned");
  OK(zl_wait(box.rt, box_id("orphaned"), BOX_PATIENCE_MS, &outcome, &err));
  assert_int_equal(outcome.reason, ZL_EXIT_RUNTIME_ERROR);
  assert_true(box_eventually(is_dead, &seen.pid));
  seen = box_await("orphaned", ZL_STATE_FAILED);
  assert_non_null(strstr(seen.reason, "killed"));
  OK(zl_stop(box.rt, box_id("orphaned"), 0, &err));
  OK(zl_remove(box.rt, box_id("orphaned"), false, &err));
}

/* `pid` of a state is what has to be there for the container to run: its init, or its machine. */
static void what_runs_a_container_can_be_killed(void **state)
{
  struct zl_container_state seen;
  struct zl_outcome outcome;

  (void)state;
  if (!box.real)
    return;
  box_run("struck", ARGV(BIN "sleep", "60"));
  seen = box_await("struck", ZL_STATE_RUNNING);
  box_strike(&seen);
  outcome = box_outcome("struck");
  /* Windows does not tell who ended a process. */
  assert_int_equal(outcome.reason, box.machines  ? ZL_EXIT_RUNTIME_ERROR
                                   : box.windows ? ZL_EXIT_EXITED
                                                 : ZL_EXIT_SIGNAL);
  assert_int_equal(outcome.signal, box.machines || box.windows ? 0 : SIGKILL);
  seen = box_await("struck", box.machines ? ZL_STATE_FAILED : ZL_STATE_EXITED);
  assert_int_equal(seen.pid, 0);
  if (box.machines && strstr(seen.reason, "machine ended") == NULL)
    fail_msg("reason: '%s'", seen.reason);
}

static void the_check_reports_and_reaps_killed_shims(void **state)
{
  (void)state;
  if (!box.real)
    return;
  box_run("orphaned", ARGV(BIN "sleep", "60"));
  box_kill_shim("orphaned");
  check(false, "shim:orphaned-rep-1:0 ");
  check(true, "shim:orphaned-rep-1:1 ");
  check(false, "");
  (void)box_await("orphaned", ZL_STATE_FAILED);
}

static void removing_or_making_anew_repairs(void **state)
{
  (void)state;
  if (!box.real)
    return;
  box_run("orphaned", ARGV(BIN "sleep", "60"));
  box_kill_shim("orphaned");
  OK(zl_remove(box.rt, box_id("orphaned"), true, &err));
  box_run("orphaned", ARGV(BIN "sleep", "60"));
  (void)box_await("orphaned", ZL_STATE_RUNNING);
}

/* ---- Killed caller
 * ------------------------------------------------------------------------------------ */

/* They may be asked for one after the other, whether it was made or not. */
static void is_repaired(const char *id)
{
  struct zl_container_info *list = NULL;
  size_t n = 0;

  OK(zl_list(box.rt, &list, &n, &err));
  assert_true(n <= 1);
  zl_containers_free(list, n);
  OK(zl_remove(box.rt, id, true, &err));
  box_create("victim", ARGV(BIN "sleep", "60"));
  OK(zl_remove(box.rt, id, true, &err));
}

static int kills(void)
{
  return box.windows ? KILLS_ON_WINDOWS : KILLS;
}

/* Whoever creates is killed at some moment of it, or just after; the next one has to succeed. */
static void a_killed_creator_is_repaired(void **state)
{
  double step = program_time_ms("create", 1) / (kills() - 2);

  (void)state;
  OK(zl_remove(box.rt, "victim-rep-1", true, &err));
  for (int i = 0; i < kills(); i++) {
    program_strike("create", 1, i * step);
    is_repaired("victim-rep-1");
  }
}

/* Every other time the check has to find what is to be done. */
static void a_killed_remover_is_repaired(void **state)
{
  double step;

  (void)state;
  box_run("victim", ARGV(BIN "sleep", "60"));
  step = program_time_ms("remove", 1) / (kills() - 2);
  for (int i = 0; i < kills(); i++) {
    box_run("victim", ARGV(BIN "sleep", "60"));
    program_strike("remove", 1, i * step);
    if (i % 2 == 0)
      OK(zl_system_check(box.rt, true, NULL, NULL, NULL, &err));
    is_repaired("victim-rep-1");
  }
}

/* Whoever asked for the start is told of a failure, and reaps, or it was too late for one. */
static void a_shim_killed_while_it_starts_is_repaired(void **state)
{
  double step;

  (void)state;
  if (!box.real)
    return;
  box_create("victim", ARGV(BIN "sleep", "60"));
  step = program_time_ms("start", 1) / (kills() - 2);
  for (int i = 0; i < kills(); i++) {
    struct zl_proc program;
    int status;

    is_repaired("victim-rep-1");
    box_create("victim", ARGV(BIN "sleep", "60"));
    program = program_start("start", 1);
    (void)usleep((useconds_t)(i * step * 1000));
    box_kill_shim("victim");
    OK(zl_proc_wait(&program, &status, &err));
    if (i % 2 == 0)
      OK(zl_system_check(box.rt, true, NULL, NULL, NULL, &err));
    (void)box_await("victim", ZL_STATE_FAILED);
  }
}

static bool runs(void *ctx)
{
  struct zl_container_state seen = { 0 };
  struct zl_error err = { 0 };

  return zl_container_state(box.rt, box_id(ctx), &seen, &err) == 0 &&
         seen.state == ZL_STATE_RUNNING;
}

static void still_runs(const char *name, int32_t pid)
{
  struct zl_exec_result result = { 0 };

  assert_int_equal(box_await(name, ZL_STATE_RUNNING).pid, pid);
  check(false, "");
  if (box.real) {
    assert_int_equal(box_exec(name, ARGV(BIN "echo", "alive"), &result), 0);
    assert_memory_equal(result.out, "alive", 5);
    zl_exec_result_done(&result);
  }
}

static void a_killed_watcher_changes_nothing(void **state)
{
  int32_t pid;

  (void)state;
  box_run("victim", ARGV(BIN "sleep", "60"));
  pid = box_await("victim", ZL_STATE_RUNNING).pid;
  for (int i = 0; i < WATCHERS; i++) {
    program_strike("watch", 1, i * WATCH_STEP_MS);
    still_runs("victim", pid);
  }
}

static void what_a_killed_program_started_goes_on(void **state)
{
  struct zl_proc program;
  char name[] = "victim";
  int32_t pid;

  (void)state;
  program = program_start("run", 1);
  assert_true(box_eventually(runs, name));
  pid = box_await("victim", ZL_STATE_RUNNING).pid;
  zl_proc_kill(&program);
  still_runs("victim", pid);
  box_reopen();
  still_runs("victim", pid);
  OK(zl_stop(box.rt, box_id("victim"), 0, &err));
  OK(zl_remove(box.rt, box_id("victim"), false, &err));
}

static void rows_and_directories_alone_are_findings(void **state)
{
  char path[128];

  (void)state;
  (void)snprintf(path, sizeof(path), "%s/containers/.gone-old-rep-1-0a0b0c0d", box.root);
  assert_int_equal(mkdir(path, 0700), 0);
  (void)box_count("INSERT INTO leases VALUES (182215451, 'ghost-rep-1', 'zlnone', 'boot')");
  (void)box_count("INSERT INTO journal VALUES ('ghost2-rep-1', 'directory', 'x', 'boot')");
  check(false,
        "directory:.gone-old-rep-1-0a0b0c0d:0 container:ghost2-rep-1:0 lease:ghost-rep-1:0 ");
  check(true, "directory:.gone-old-rep-1-0a0b0c0d:1 container:ghost2-rep-1:1 lease:ghost-rep-1:1 ");
  check(false, "");
}

int suite_recovery(void)
{
  const struct CMUnitTest cases[] = {
    CASE(a_clean_node_has_no_findings),
    CASE(adopt_after_the_database_was_lost),
    CASE(a_lost_container_is_found_by_its_id),
    CASE(the_check_takes_lost_containers_back),
    CASE(a_killed_shim_fails_its_container),
    CASE(what_runs_a_container_can_be_killed),
    CASE(the_check_reports_and_reaps_killed_shims),
    CASE(removing_or_making_anew_repairs),
    CASE(a_killed_creator_is_repaired),
    CASE(a_killed_remover_is_repaired),
    CASE(a_shim_killed_while_it_starts_is_repaired),
    CASE(a_killed_watcher_changes_nothing),
    CASE(what_a_killed_program_started_goes_on),
    CASE(rows_and_directories_alone_are_findings),
  };

  return cmocka_run_group_tests_name("recovery", cases, NULL, NULL);
}
