/* SPDX-License-Identifier: Apache-2.0
 *
 * States, ends, signals, names, and every operation twice or at the wrong time.
 */
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "box.h"

static void create_does_not_run_the_workload(void **state)
{
  struct zl_service *service = box_service("lazy", SH("touch /marks/ran; echo ran"));
  char mark[96], source[96], mount[192];
  struct stat st;
  char *log;

  (void)state;
  (void)snprintf(source, sizeof(source), "%s/marks", box.scratch);
  (void)snprintf(mark, sizeof(mark), "%s/marks/ran", box.scratch);
  (void)snprintf(mount, sizeof(mount), "%s:/marks", source);
  assert_true(mkdir(source, 0755) == 0 || errno == EEXIST);
  if (box.real && !box.windows)
    OK(zl_storage_parse(service, mount, &err));
  OK(box_create_service(service, &err));
  zl_service_free(service);
  assert_int_equal(box_await("lazy", ZL_STATE_INITIALIZING).outcome.exit_code, 0);
  assert_int_not_equal(stat(mark, &st), 0);
  log = box_log("lazy");
  assert_string_equal(log, "");
  free(log);
  if (!box.real || box.windows)
    return;
  OK(zl_start(box.rt, box_id("lazy"), &err));
  assert_int_equal(box_outcome("lazy").exit_code, 0);
  assert_int_equal(stat(mark, &st), 0);
  (void)unlink(mark);
}

static void the_exit_code_is_the_workloads(void **state)
{
  static const struct {
    const char *script;
    int code;
  } cases[] = { { "exit 0", 0 }, { "exit 7", 7 }, { "exit 255", 255 }, { "false", 1 } };

  (void)state;
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct zl_outcome outcome;

    box_run("code", SH(cases[i].script));
    outcome = box_outcome("code");
    assert_int_equal(outcome.exit_code, cases[i].code);
    assert_int_equal(outcome.reason, ZL_EXIT_EXITED);
    assert_int_equal(outcome.signal, 0);
    assert_true(outcome.finished_at_ns > 0);
    OK(zl_remove(box.rt, box_id("code"), false, &err));
  }
}

static void a_signal_is_told_as_one(void **state)
{
  struct zl_outcome outcome;

  (void)state;
  box_run("signalled", ARGV(BIN "sleep", "60"));
  OK(zl_kill(box.rt, box_id("signalled"), SIGKILL, &err));
  outcome = box_outcome("signalled");
  assert_int_equal(outcome.exit_code, 128 + SIGKILL);
  assert_int_equal(outcome.reason, ZL_EXIT_SIGNAL);
  assert_int_equal(outcome.signal, SIGKILL);
  FAILS(zl_kill(box.rt, box_id("signalled"), SIGTERM, &err), ZL_E_CONFLICT);
}

static void too_much_memory_is_told_as_such(void **state)
{
  struct zl_service *service =
      box_service("hungry", box.real ? ARGV((BIN "dd"), "if=/dev/zero", "of=/dev/null", "bs=200M")
                                     : ARGV("oom"));
  struct zl_outcome outcome;

  (void)state;
  SKIP_ON_WINDOWS("a job that has reached its limit gets no more memory, and nobody is killed");
  service->resources.memory = 24 << 20;
  OK(box_create_service(service, &err));
  zl_service_free(service);
  OK(zl_start(box.rt, box_id("hungry"), &err));
  outcome = box_outcome("hungry");
  assert_int_equal(outcome.reason, ZL_EXIT_OOM_KILLED);
  assert_int_equal(outcome.exit_code, 137);
}

static void a_missing_command_fails_the_start(void **state)
{
  struct zl_container_state seen;

  (void)state;
  box_create("missing", ARGV("/no/such/program"));
  FAILS(zl_start(box.rt, box_id("missing"), &err), ZL_E_NO_COMMAND);
  seen = box_await("missing", ZL_STATE_FAILED);
  assert_int_equal(seen.outcome.exit_code, 127);
  assert_int_equal(seen.outcome.reason, ZL_EXIT_RUNTIME_ERROR);
  assert_int_not_equal(strlen(seen.reason), 0);
  FAILS(zl_start(box.rt, box_id("missing"), &err), ZL_E_CONFLICT);
}

static void a_file_that_is_no_program_fails_the_start(void **state)
{
  (void)state;
  SKIP_ON_WINDOWS("the image is not what the doubles run programs of");
  if (!box.real)
    return;
  box_create("text", ARGV("/etc/not-a-program"));
  FAILS(zl_start(box.rt, box_id("text"), &err), ZL_E_NOT_EXECUTABLE);
  assert_int_equal(box_await("text", ZL_STATE_FAILED).outcome.exit_code, 126);
}

static void start_is_idempotent_while_it_runs(void **state)
{
  int32_t pid;

  (void)state;
  box_run("twice", ARGV(BIN "sleep", "60"));
  pid = box_await("twice", ZL_STATE_RUNNING).pid;
  OK(zl_start(box.rt, box_id("twice"), &err));
  assert_int_equal(box_await("twice", ZL_STATE_RUNNING).pid, pid);
  OK(zl_stop(box.rt, box_id("twice"), 0, &err));
  FAILS(zl_start(box.rt, box_id("twice"), &err), ZL_E_CONFLICT);
}

static void stop_is_graceful_first(void **state)
{
  struct zl_exec_result result = { 0 };

  (void)state;
  SKIP_ON_WINDOWS("the doubles end a process that is told CtrlShutdown");
  box_run("polite", box.real ? SH("trap 'exit 3' TERM; while true; do sleep 0.05; done")
                             : ARGV(BIN "sleep", "60"));
  if (box.real) /* once the shell catches SIGTERM (bit 14) */
    assert_int_equal(box_exec("polite",
                              SH("until grep -q 'SigCgt:.*4...$' /proc/1/status; do sleep 0.01;"
                                 "done"),
                              &result),
                     0);
  zl_exec_result_done(&result);
  OK(zl_stop(box.rt, box_id("polite"), BOX_PATIENCE_MS, &err));
  assert_int_equal(box_outcome("polite").exit_code, box.real ? 3 : 128 + SIGTERM);
}

static void stop_is_forced_after_the_grace(void **state)
{
  struct timespec from, to;

  (void)state;
  SKIP_ON_WINDOWS("the doubles end a process that is told CtrlShutdown");
  box_run("stubborn", SH("trap '' TERM; sleep 60"));
  (void)clock_gettime(CLOCK_MONOTONIC, &from);
  OK(zl_stop(box.rt, box_id("stubborn"), 300, &err));
  (void)clock_gettime(CLOCK_MONOTONIC, &to);
  assert_int_equal(box_outcome("stubborn").signal, SIGKILL);
  assert_true((to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000 >= 290);
}

static void stop_is_idempotent(void **state)
{
  (void)state;
  box_create("idle", ARGV(BIN "sleep", "60"));
  OK(zl_stop(box.rt, box_id("idle"), 100, &err));
  assert_int_equal(box_await("idle", ZL_STATE_EXITED).outcome.exit_code, 137);
  OK(zl_stop(box.rt, box_id("idle"), 100, &err));
}

static void remove_is_idempotent_and_spares_the_running(void **state)
{
  (void)state;
  box_run("kept", ARGV(BIN "sleep", "60"));
  FAILS(zl_remove(box.rt, box_id("kept"), false, &err), ZL_E_CONFLICT);
  (void)box_await("kept", ZL_STATE_RUNNING);
  OK(zl_remove(box.rt, box_id("kept"), true, &err));
  OK(zl_remove(box.rt, box_id("kept"), true, &err));
  OK(zl_remove(box.rt, box_id("kept"), false, &err));
  OK(zl_remove(box.rt, "never-was-there-rep-1", false, &err));
}

static void unknown_ids_are_not_found(void **state)
{
  struct zl_container_state seen;
  struct zl_outcome outcome;
  char *json;

  (void)state;
  FAILS(zl_container_state(box.rt, "nobody-rep-1", &seen, &err), ZL_E_NOT_FOUND);
  FAILS(zl_container_state(box.rt, "../../etc", &seen, &err), ZL_E_NOT_FOUND);
  FAILS(zl_start(box.rt, "nobody-rep-1", &err), ZL_E_NOT_FOUND);
  FAILS(zl_stop(box.rt, "nobody-rep-1", 0, &err), ZL_E_NOT_FOUND);
  FAILS(zl_kill(box.rt, "nobody-rep-1", SIGTERM, &err), ZL_E_NOT_FOUND);
  FAILS(zl_wait(box.rt, "nobody-rep-1", 0, &outcome, &err), ZL_E_NOT_FOUND);
  FAILS(zl_inspect(box.rt, "nobody-rep-1", &json, &err), ZL_E_NOT_FOUND);
}

static void a_taken_id_or_name_is_a_conflict(void **state)
{
  struct zl_service *service = box_service("taken", ARGV(BIN "sleep", "60"));
  struct zl_container_id id = { .service = "taken", .replica = 1 };
  struct zl_create_options named = { .name = "front" };

  (void)state;
  OK(zl_create(box.rt, &id, service, &named, &err));
  FAILS(zl_create(box.rt, &id, service, &named, &err), ZL_E_CONFLICT);
  FAILS(zl_create(box.rt, &id, service, NULL, &err), ZL_E_CONFLICT);
  id.replica = 2;
  FAILS(zl_create(box.rt, &id, service, &named, &err), ZL_E_CONFLICT);
  named.name = "taken-rep-1";
  FAILS(zl_create(box.rt, &id, service, &named, &err), ZL_E_CONFLICT);
  named.name = "not/a/name";
  FAILS(zl_create(box.rt, &id, service, &named, &err), ZL_E_INVALID);
  OK(zl_start(box.rt, "front", &err));
  FAILS(zl_start(box.rt, "fron", &err), ZL_E_NOT_FOUND);
  OK(zl_start(box.rt, "take", &err));
  FAILS(zl_start(box.rt, "tak", &err), ZL_E_NOT_FOUND);
  zl_service_free(service);
}

static void wait_ends_in_time_or_with_the_container(void **state)
{
  struct zl_outcome outcome;

  (void)state;
  box_run("slow", ARGV(BIN "sleep", "2"));
  FAILS(zl_wait(box.rt, box_id("slow"), 50, &outcome, &err), ZL_E_TIMEOUT);
  OK(zl_wait(box.rt, box_id("slow"), -1, &outcome, &err));
  assert_int_equal(outcome.exit_code, 0);
  OK(zl_wait(box.rt, box_id("slow"), 0, &outcome, &err));
}

static void auto_remove_leaves_nothing(void **state)
{
  struct zl_service *service = box_service("gone", ARGV(BIN "true"));
  struct zl_container_id id = { .service = "gone", .replica = 1 };
  struct zl_create_options options = { .auto_remove = true };
  struct zl_container_state seen;
  struct zl_outcome outcome;

  (void)state;
  OK(zl_create(box.rt, &id, service, &options, &err));
  OK(zl_start(box.rt, box_id("gone"), &err));
  OK(zl_wait(box.rt, box_id("gone"), BOX_PATIENCE_MS, &outcome, &err));
  FAILS(zl_container_state(box.rt, box_id("gone"), &seen, &err), ZL_E_NOT_FOUND);
  zl_service_free(service);
}

static void pause_freezes_and_thaws(void **state)
{
  struct zl_container_state seen;

  (void)state;
  if (!box.machines)
    SKIP_ON_WINDOWS("the compute service pauses machines only");
  box_create("frozen", ARGV(BIN "sleep", "60"));
  FAILS(zl_pause(box.rt, box_id("frozen"), &err), ZL_E_CONFLICT);
  OK(zl_start(box.rt, box_id("frozen"), &err));
  OK(zl_pause(box.rt, box_id("frozen"), &err));
  OK(zl_pause(box.rt, box_id("frozen"), &err));
  seen = box_await("frozen", ZL_STATE_RUNNING);
  assert_true(seen.paused);
  OK(zl_unpause(box.rt, box_id("frozen"), &err));
  OK(zl_unpause(box.rt, box_id("frozen"), &err));
  assert_false(box_await("frozen", ZL_STATE_RUNNING).paused);
  OK(zl_pause(box.rt, box_id("frozen"), &err));
  OK(zl_stop(box.rt, box_id("frozen"), 100, &err));
  (void)box_await("frozen", ZL_STATE_EXITED);
}

static void stats_measure_a_running_container(void **state)
{
  struct zl_stats stats = { 0 };

  (void)state;
  box_run("measured", ARGV(BIN "sleep", "60"));
  if (!box.real) {
    FAILS(zl_container_stats(box.rt, box_id("measured"), &stats, &err), ZL_E_UNSUPPORTED);
    return;
  }
  OK(zl_container_stats(box.rt, box_id("measured"), &stats, &err));
  assert_true(stats.memory_bytes > 0 && stats.time_ns > 0 && stats.online_cpus > 0);
  if (box.windows)
    return;
  assert_int_equal(stats.pids, 1);
  assert_true(stats.memory_limit == UINT64_MAX && stats.pids_limit == 2048);
  OK(zl_pause(box.rt, box_id("measured"), &err));
  OK(zl_container_stats(box.rt, box_id("measured"), &stats, &err));
  assert_int_equal(stats.pids, 1);
  OK(zl_unpause(box.rt, box_id("measured"), &err));
  OK(zl_stop(box.rt, box_id("measured"), 0, &err));
  FAILS(zl_container_stats(box.rt, box_id("measured"), &stats, &err), ZL_E_CONFLICT);
}

static void list_and_inspect_describe(void **state)
{
  struct zl_container_info *list = NULL;
  char *text = NULL;
  json_t *json;
  size_t n = 0;

  (void)state;
  box_create("shown-a", ARGV(BIN "sleep", "60"));
  box_run("shown-b", ARGV(BIN "sh", "-c", "exit 4"));
  assert_int_equal(box_outcome("shown-b").exit_code, 4);
  OK(zl_list(box.rt, &list, &n, &err));
  assert_int_equal(n, 2);
  assert_string_equal(list[0].id, box_id("shown-a"));
  assert_string_equal(list[0].command, BIN "sleep 60");
  assert_string_equal(list[1].command, BIN "sh -c \"exit 4\"");
  assert_string_equal(list[0].backend, box.backend);
  assert_non_null(list[0].address);
  assert_int_equal(list[0].state.state, ZL_STATE_INITIALIZING);
  assert_int_equal(list[1].state.state, ZL_STATE_EXITED);
  assert_int_equal(list[1].state.outcome.exit_code, 4);
  assert_true(list[0].started_at_ns == 0 && list[1].started_at_ns > 0);
  zl_containers_free(list, n);
  OK(zl_inspect(box.rt, box_id("shown-b"), &text, &err));
  json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
  assert_non_null(json);
  assert_string_equal(json_string_value(json_object_get(json_object_get(json, "state"), "status")),
                      "exited");
  assert_non_null(json_object_get(json, "network"));
  json_decref(json);
  free(text);
}

static void info_and_disk_usage_are_json(void **state)
{
  char *text = NULL;
  json_t *json;

  (void)state;
  OK(zl_info(box.rt, &text, &err));
  json = json_loads(text, 0, NULL);
  assert_string_equal(json_string_value(json_object_get(json_object_get(json, "network"), "slice")),
                      BOX_SLICE);
  json_decref(json);
  free(text);
  OK(zl_disk_usage(box.rt, &text, &err));
  json = json_loads(text, 0, NULL);
  assert_true(json_integer_value(json_object_get(json_object_get(json, "images"), "bytes")) > 0);
  json_decref(json);
  free(text);
}

int suite_lifecycle(void)
{
  const struct CMUnitTest cases[] = {
    CASE(create_does_not_run_the_workload),
    CASE(the_exit_code_is_the_workloads),
    CASE(a_signal_is_told_as_one),
    CASE(too_much_memory_is_told_as_such),
    CASE(a_missing_command_fails_the_start),
    CASE(a_file_that_is_no_program_fails_the_start),
    CASE(start_is_idempotent_while_it_runs),
    CASE(stop_is_graceful_first),
    CASE(stop_is_forced_after_the_grace),
    CASE(stop_is_idempotent),
    CASE(remove_is_idempotent_and_spares_the_running),
    CASE(unknown_ids_are_not_found),
    CASE(a_taken_id_or_name_is_a_conflict),
    CASE(wait_ends_in_time_or_with_the_container),
    CASE(auto_remove_leaves_nothing),
    CASE(pause_freezes_and_thaws),
    CASE(stats_measure_a_running_container),
    CASE(list_and_inspect_describe),
    CASE(info_and_disk_usage_are_json),
  };

  return cmocka_run_group_tests_name("lifecycle", cases, NULL, NULL);
}
