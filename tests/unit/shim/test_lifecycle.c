/* SPDX-License-Identifier: Apache-2.0 */
#include "box.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/time.h"
#include "engine/cgroup.h"

static const char *text_of(const json_t *json, const char *key)
{
  return json_string_value(json_object_get(json, key));
}

static void create_does_not_run_the_workload(void **state)
{
  struct box *box = BOX_SH("echo ran > /marker");
  char path[192];
  json_t *reply;

  (void)state;
  box_create(box);
  reply = box_ask(box, "{s:s}", "op", "state");
  assert_string_equal(text_of(reply, "status"), "created");
  assert_int_equal(json_integer_value(json_object_get(reply, "pid")), box->pid);
  json_decref(reply);
  (void)snprintf(path, sizeof(path), "%s/upper/marker", box->dir);
  assert_true(access(path, F_OK) < 0);
  box_do(box, json_pack("{s:s}", "op", "start"));
  reply = box_ask(box, "{s:s}", "op", "wait");
  json_decref(reply);
  assert_true(access(path, F_OK) == 0);
  box_end(box);
  box_free(box);
}

static void exit_codes_are_the_workloads(void **state)
{
  static const struct {
    const char *script, *reason;
    int code;
  } cases[] = {
    { "exit 0", "exited", 0 },
    { "exit 7", "exited", 7 },
    { "exit 255", "exited", 255 },
    { "sh -c 'kill -KILL $$'; exit $?", "exited", 137 },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    struct box *box = BOX_SH(cases[i].script);
    char reason[32];
    int code;

    box_run(box);
    box_finish(box, &code, reason);
    assert_int_equal(code, cases[i].code);
    assert_string_equal(reason, cases[i].reason);
    box_free(box);
  }
}

static void expect_failure(const char *command, const char *wanted_code, int exit_code)
{
  struct box *box = BOX(command);
  char reason[32];
  json_t *reply;
  int code;

  box_create(box);
  reply = box_ask(box, "{s:s}", "op", "start");
  assert_false(json_is_true(json_object_get(reply, "ok")));
  assert_string_equal(text_of(reply, "code"), wanted_code);
  assert_non_null(strstr(text_of(reply, "message"), command));
  json_decref(reply);
  box_finish(box, &code, reason);
  assert_int_equal(code, exit_code);
  assert_string_equal(reason, "runtime_error");
  box_free(box);
}

static void commands_that_cannot_be_executed(void **state)
{
  (void)state;
  expect_failure("nosuchcommand", "NO_COMMAND", 127);
  expect_failure("/no/such", "NO_COMMAND", 127);
  expect_failure("notexec", "NOT_EXECUTABLE", 126);
  expect_failure("/bin", "NOT_EXECUTABLE", 126);
}

static void signals_reach_the_workload(void **state)
{
  struct box *box = BOX_SH("trap 'exit 42' USR1; echo up; while :; do usleep 10000; done");
  char reason[32];
  json_t *reply;
  int code;

  (void)state;
  box_run(box);
  reply = box_ask(box, "{s:s}", "op", "start"); /* again: success */
  assert_true(json_is_true(json_object_get(reply, "ok")));
  json_decref(reply);
  box_await_output(box);
  box_do(box, json_pack("{s:s, s:i}", "op", "kill", "signal", SIGUSR1));
  box_finish(box, &code, reason);
  assert_int_equal(code, 42);
  box_free(box);
}

static void kill_nine_ends_everything(void **state)
{
  struct box *box = BOX_SH("sleep 100 & sleep 100");
  char reason[32];
  int code;

  (void)state;
  box_run(box);
  box_do(box, json_pack("{s:s, s:i}", "op", "kill", "signal", SIGKILL));
  box_finish(box, &code, reason);
  assert_int_equal(code, 137);
  assert_string_equal(reason, "signal");
  box_free(box);
}

/* Sends stop and returns how long the end took, in ms. */
static uint64_t stop(struct box *box, int grace_ms, int want_code)
{
  uint64_t before = zl_time_boot();
  json_t *reply =
      box_ask(box, "{s:s, s:i, s:i}", "op", "stop", "signal", SIGTERM, "grace_ms", grace_ms);
  char reason[32];
  int code;

  assert_non_null(reply);
  assert_int_equal(json_integer_value(json_object_get(json_object_get(reply, "exit"), "exit_code")),
                   want_code);
  json_decref(reply);
  before = (zl_time_boot() - before) / ZL_NS_PER_MS;
  box_finish(box, &code, reason);
  assert_int_equal(code, want_code);
  return before;
}

static void stop_with_grace(void **state)
{
  struct box *polite = BOX_SH("trap 'exit 3' TERM; echo up; while :; do usleep 10000; done");
  struct box *deaf = BOX_SH("trap '' TERM; echo up; while :; do usleep 10000; done");
  struct box *plain = BOX("sleep", "100"); /* PID 1 without a handler: TERM does nothing */

  (void)state;
  box_run(polite);
  box_await_output(polite);
  assert_true(stop(polite, 10000, 3) < 5000);
  box_free(polite);

  box_run(deaf);
  box_await_output(deaf);
  assert_in_range(stop(deaf, 300, 137), 290, 5000);
  box_free(deaf);

  box_run(plain);
  assert_in_range(stop(plain, 100, 137), 90, 5000);
  box_free(plain);
}

static void stop_of_a_created_container(void **state)
{
  struct box *box = BOX("true");

  (void)state;
  box_create(box);
  (void)stop(box, 10000, 137);
  box_free(box);
}

static void init_reaps_and_forwards(void **state)
{
  struct box *box =
      BOX_SH("trap 'exit 9' TERM; for i in 1 2 3 4 5; do setsid sh -c 'true &' ; done;"
             "sleep 0.2; ps -o pid,stat | grep -c Z; while :; do usleep 10000; done");
  struct box *killed = BOX_SH("kill -KILL $$");

  (void)state;
  box_set(box, "zlayer.init", json_true());
  box_run(box);
  box_await_output(box);
  assert_true(stop(box, 10000, 9) < 5000);
  box_assert_output(box, "0\n");
  box_free(box);

  box_set(killed, "zlayer.init", json_true());
  box_expect(killed, 137);
  box_free(killed);
}

static void pause_and_resume(void **state)
{
  struct box *box = BOX_SH("i=0; while :; do echo $i; i=$((i+1)); usleep 1000; done");
  char *before, *after;
  json_t *reply;

  (void)state;
  box_run(box);
  box_await_output(box);
  box_do(box, json_pack("{s:s}", "op", "pause"));
  box_do(box, json_pack("{s:s}", "op", "pause"));
  reply = box_ask(box, "{s:s}", "op", "state");
  assert_true(json_is_true(json_object_get(reply, "paused")));
  json_decref(reply);
  (void)usleep(20000); /* what was in the pipe arrives; frozen, nothing follows */
  before = box_log(box, "stdout");
  (void)usleep(50000);
  after = box_log(box, "stdout");
  assert_string_equal(before, after);
  free(before);
  free(after);
  box_do(box, json_pack("{s:s}", "op", "resume"));
  box_do(box, json_pack("{s:s}", "op", "pause"));
  assert_true(stop(box, 200, 137) < 5000); /* stopping a frozen container lets it go */
  box_free(box);
}

static void wait_answers_every_client(void **state)
{
  struct box *box = BOX_SH("sleep 0.1; exit 5");
  json_t *reply;
  int second;
  char text[4096];

  (void)state;
  box_run(box);
  second = box_connect(box);
  assert_true(second >= 0);
  assert_true(write(second, "{\"op\":\"wait\"}", 13) == 13);
  box_send(box, NULL, 0, json_pack("{s:s}", "op", "wait"));
  box_send(box, NULL, 0, json_pack("{s:s}", "op", "wait"));
  for (int i = 0; i < 2; i++) {
    reply = box_receive(box);
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(reply, "exit"), "exit_code")), 5);
    json_decref(reply);
  }
  assert_true(read(second, text, sizeof(text)) > 0);
  (void)close(second);
  box_end(box);
  box_free(box);
}

static void bad_requests_are_refused(void **state)
{
  static const char *const bad[] = {
    "",
    "[]",
    "{}",
    "{\"op\":\"fly\"}",
    "{\"op\":1}",
    "{\"op\":\"start\",\"x\":1}",
    "{\"op\":\"kill\"}",
    "{\"op\":\"kill\",\"signal\":\"9\"}",
    "{\"op\":\"kill\",\"signal\":65}",
    "{\"op\":\"stop\",\"signal\":15,\"grace_ms\":-1}",
    "{\"op\":\"exec\"}",
    "{\"op\":\"exec\",\"process\":{}}",
    "{\"op\":\"attach\"}",
    "{\"op\":\"start\",\"op\":\"start\"}",
    "{\"op\":\"resume\"}",
  };
  struct box *box = BOX("true");

  (void)state;
  box_create(box);
  for (size_t i = 1; i < ZL_COUNT(bad); i++) {
    json_t *reply;

    assert_true(write(box->control, bad[i], strlen(bad[i])) > 0);
    reply = box_receive(box);
    assert_non_null(reply);
    assert_true(json_is_false(json_object_get(reply, "ok")));
    assert_non_null(text_of(reply, "code"));
    json_decref(reply);
  }
  (void)stop(box, 0, 137);
  box_free(box);
}

/* The creator dies after create; another client starts and waits. */
static void creator_may_die(void **state)
{
  struct box *box = BOX_SH("sleep 0.2; exit 6");
  char text[4096];
  int fd, code;
  char reason[32];

  (void)state;
  box_create(box);
  (void)close(box->control);
  box->control = -1;
  fd = box_connect(box);
  assert_true(fd >= 0);
  assert_true(write(fd, "{\"op\":\"start\"}", 14) == 14);
  assert_true(read(fd, text, sizeof(text)) > 0);
  (void)close(fd);
  box_finish(box, &code, reason);
  assert_int_equal(code, 6);
  box_free(box);
}

static void remove_by_hand(struct box *box)
{
  struct zl_cgroup_root root;
  struct zl_cgroup cg;
  struct zl_error err = { 0 };

  assert_int_equal(unlinkat(box->dir_fd, "control", 0), 0);
  assert_int_equal(zl_cgroup_root_open(&root, &err), 0);
  assert_int_equal(zl_cgroup_open(&root, box->id, &cg, &err), 0);
  assert_int_equal(zl_cgroup_remove(&cg, &err), 0);
  zl_cgroup_close(&cg);
  zl_cgroup_root_close(&root);
}

static void shim_death_is_container_death(void **state)
{
  struct box *box = BOX_SH("sleep 100 & echo up; sleep 100");
  struct pollfd poll_fd;

  (void)state;
  box_run(box);
  box_await_output(box);
  poll_fd = (struct pollfd){ .fd = pidfd_open(box->pid, 0), .events = POLLIN };
  assert_true(poll_fd.fd >= 0);
  zl_proc_kill(&box->shim);
  assert_int_equal(poll(&poll_fd, 1, 5000), 1);
  (void)close(poll_fd.fd);
  box->pid = 0; /* whoever inherited it may not have reaped it yet */
  remove_by_hand(box);
  box_free(box);
}

static void sigterm_of_the_shim_is_a_stop(void **state)
{
  struct box *box = BOX_SH("trap 'exit 4' TERM; echo up; while :; do usleep 10000; done");
  char reason[32];
  int code;

  (void)state;
  box_run(box);
  box_await_output(box);
  assert_int_equal(kill(box->shim.pid, SIGHUP), 0);
  assert_int_equal(kill(box->shim.pid, SIGINT), 0);
  assert_int_equal(kill(box->shim.pid, SIGTERM), 0);
  box_finish(box, &code, reason);
  assert_int_equal(code, 4);
  box_free(box);
}

static void broken_bundles_leave_nothing(void **state)
{
  static const struct {
    const char *path, *value, *code;
  } cases[] = {
    { "zlayer.layers", "[\"/no/such/layer\"]", "NOT_FOUND" },
    { "process.args", "[]", "INVALID" },
    { "mounts", "[{\"destination\":\"/x\",\"source\":\"/no/such\",\"options\":[\"bind\"]}]",
      "NOT_FOUND" },
    { "zlayer.user", "\"nobodyhere\"", "NOT_FOUND" },
    { "linux.sysctl", "{\"kernel.core_pattern\":\"x\"}", "INVALID" },
    { "linux.namespaces", "[{\"type\":\"pid\"}]", "INVALID" },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    struct box *box = BOX("true");
    json_t *reply;
    int status;

    box_set(box, cases[i].path, json_loads(cases[i].value, JSON_DECODE_ANY, NULL));
    reply = box_launch(box);
    assert_non_null(reply);
    assert_true(json_is_false(json_object_get(reply, "ok")));
    if (strcmp(text_of(reply, "code"), cases[i].code) != 0)
      fail_msg("%s: %s: %s", cases[i].path, text_of(reply, "code"), text_of(reply, "message"));
    json_decref(reply);
    assert_int_equal(zl_proc_wait(&box->shim, &status, NULL), 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    box_free(box);
  }
}

static void state_file_and_event(void **state)
{
  struct box *box = BOX("true");
  char path[192], *text;
  json_t *json;

  (void)state;
  box_create(box);
  (void)snprintf(path, sizeof(path), "%s/state.json", box->dir);
  json = json_load_file(path, 0, NULL);
  assert_non_null(json);
  assert_int_equal(json_integer_value(json_object_get(json, "pid")), box->pid);
  assert_true(json_integer_value(json_object_get(json, "start_time")) > 0);
  assert_int_equal(strlen(text_of(json, "boot_id")), 36);
  assert_string_equal(text_of(json, "status"), "created");
  json_decref(json);
  (void)stop(box, 0, 137);
  (void)snprintf(path, sizeof(path), "%s/events.log", box_home());
  text = read_text(path);
  assert_non_null(text);
  assert_non_null(strstr(text, box->id));
  free(text);
  box_free(box);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(create_does_not_run_the_workload),
    cmocka_unit_test(exit_codes_are_the_workloads),
    cmocka_unit_test(commands_that_cannot_be_executed),
    cmocka_unit_test(signals_reach_the_workload),
    cmocka_unit_test(kill_nine_ends_everything),
    cmocka_unit_test(stop_with_grace),
    cmocka_unit_test(stop_of_a_created_container),
    cmocka_unit_test(init_reaps_and_forwards),
    cmocka_unit_test(pause_and_resume),
    cmocka_unit_test(wait_answers_every_client),
    cmocka_unit_test(bad_requests_are_refused),
    cmocka_unit_test(creator_may_die),
    cmocka_unit_test(shim_death_is_container_death),
    cmocka_unit_test(sigterm_of_the_shim_is_a_stop),
    cmocka_unit_test(broken_bundles_leave_nothing),
    cmocka_unit_test(state_file_and_event),
  };

  return cmocka_run_group_tests(tests, box_group_begin, box_group_end);
}
