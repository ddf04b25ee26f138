/* SPDX-License-Identifier: Apache-2.0
 *
 * Facts over intent: lost databases, killed shims, killed callers.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "box.h"

enum {
  KILLS = 20
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

/* Gone, or waiting for whoever inherited it. */
static bool is_dead(void *ctx)
{
  char path[48], text[256] = "";
  FILE *file;
  const char *state = NULL;

  (void)snprintf(path, sizeof(path), "/proc/%d/stat", *(int32_t *)ctx);
  file = fopen(path, "re");
  if (file != NULL) {
    if (fread(text, 1, sizeof(text) - 1, file) == 0)
      text[0] = '\0';
    (void)fclose(file);
    state = strrchr(text, ')');
  }
  return state == NULL || strncmp(state, ") Z", 3) == 0;
}

static void kill_shim(const char *name)
{
  char wanted[160];
  DIR *dir = opendir("/proc");
  struct dirent *e;
  int32_t pid = 0;

  (void)snprintf(wanted, sizeof(wanted), "%s/containers/%s", box.root, box_id(name));
  while ((e = readdir(dir)) != NULL) {
    char path[300], target[256];
    ssize_t len;

    (void)snprintf(path, sizeof(path), "/proc/%.20s/fd/3", e->d_name);
    len = readlink(path, target, sizeof(target) - 1);
    target[len > 0 ? len : 0] = '\0';
    if (strcmp(target, wanted) == 0 && strtol(e->d_name, NULL, 10) != getpid())
      pid = (int32_t)strtol(e->d_name, NULL, 10);
  }
  (void)closedir(dir);
  assert_true(pid > 0);
  assert_int_equal(kill(pid, SIGKILL), 0);
  assert_true(box_eventually(is_dead, &pid));
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
  kill_shim("orphaned");
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
  assert_int_equal(kill(seen.pid, SIGKILL), 0);
  outcome = box_outcome("struck");
  assert_int_equal(outcome.reason, box.machines ? ZL_EXIT_RUNTIME_ERROR : ZL_EXIT_SIGNAL);
  assert_int_equal(outcome.signal, box.machines ? 0 : SIGKILL);
  seen = box_await("struck", box.machines ? ZL_STATE_FAILED : ZL_STATE_EXITED);
  assert_int_equal(seen.pid, 0);
  if (box.machines && strstr(seen.reason, "the virtual machine ended unexpectedly") == NULL)
    fail_msg("reason: '%s'", seen.reason);
}

static void the_check_reports_and_reaps_killed_shims(void **state)
{
  (void)state;
  if (!box.real)
    return;
  box_run("orphaned", ARGV(BIN "sleep", "60"));
  kill_shim("orphaned");
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
  kill_shim("orphaned");
  OK(zl_remove(box.rt, box_id("orphaned"), true, &err));
  box_run("orphaned", ARGV(BIN "sleep", "60"));
  (void)box_await("orphaned", ZL_STATE_RUNNING);
}

/* ---- Killed caller
 * ------------------------------------------------------------------------------------ */

static useconds_t creation_time_us(void)
{
  struct timespec from, to;

  (void)clock_gettime(CLOCK_MONOTONIC, &from);
  box_create("victim", ARGV(BIN "sleep", "60"));
  (void)clock_gettime(CLOCK_MONOTONIC, &to);
  OK(zl_remove(box.rt, "victim-rep-1", true, &err));
  return (useconds_t)((to.tv_sec - from.tv_sec) * 1000000 + (to.tv_nsec - from.tv_nsec) / 1000);
}

/* Whoever creates is killed at some moment of it, or just after; the next one has to succeed. */
static void a_killed_creator_is_repaired(void **state)
{
  useconds_t step = creation_time_us() / (KILLS - 2);

  (void)state;
  for (useconds_t i = 0; i < KILLS; i++) {
    struct zl_container_info *list = NULL;
    size_t n = 0;
    pid_t pid = fork();

    if (pid == 0) {
      box.rt = box_runtime();
      box_create("victim", ARGV(BIN "sleep", "60"));
      _exit(0);
    }
    (void)usleep(i * step);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    OK(zl_list(box.rt, &list, &n, &err));
    assert_true(n <= 1);
    zl_containers_free(list, n);
    OK(zl_remove(box.rt, "victim-rep-1", true, &err));
    box_create("victim", ARGV(BIN "sleep", "60"));
    OK(zl_remove(box.rt, "victim-rep-1", true, &err));
  }
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
    CASE(rows_and_directories_alone_are_findings),
  };

  return cmocka_run_group_tests_name("recovery", cases, NULL, NULL);
}
