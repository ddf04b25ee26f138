/* SPDX-License-Identifier: Apache-2.0 */
#include "host.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "bridge/guest.h"

static void runs_and_ends(void **state)
{
  struct host *host = host_new();
  struct box *box = BOX_SH("echo out; echo err >&2; exit 7");
  struct running r = host_start(host, box);
  struct zl_rpc_exit how = host_wait(host, box, r.pid);

  (void)state;
  assert_int_equal(how.exit_code, 7);
  assert_int_equal(how.signal, 0);
  assert_false(how.oom_killed);
  host_expect(host, r.out, "out\n");
  host_expect(host, r.err, "err\n");
  while (*host->notified == '\0')
    host_turn(host);
  assert_string_equal(host->notified, "UnexpectedExit");
  /* The end is remembered. */
  assert_int_equal(host_wait(host, box, r.pid).exit_code, 7);
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_delete, box->id), 0);
  host_free(host);
  box_free(box);
}

static void one_agent_serves_one_after_the_other(void **state)
{
  struct host *host = host_new();

  (void)state;
  for (int i = 0; i < 3; i++) {
    struct box *box = BOX("sleep", "1000");
    struct running r = host_start(host, box);

    host_stop(host, box, r.pid);
    box_free(box);
  }
  host_free(host);
}

static void signals_reach_the_first_process(void **state)
{
  struct host *host = host_new();
  struct box *box = BOX_SH("trap 'echo got; exit 3' TERM; echo ready; while :; do sleep 1; done");
  struct running r = host_start(host, box);

  (void)state;
  host_await_text(host, r.out, "ready\n");
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_signal, box->id, r.pid, SIGTERM), 0);
  assert_int_equal(host_wait(host, box, r.pid).exit_code, 3);
  host_expect(host, r.out, "ready\ngot\n");
  while (*host->notified == '\0')
    host_turn(host);
  assert_string_equal(host->notified, "GracefulExit");
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_signal, box->id, r.pid, SIGTERM), -ZL_E_CONFLICT);
  host_free(host);
  box_free(box);
}

static void a_kill_reaches_all(void **state)
{
  struct host *host = host_new();
  struct box *box = BOX_SH("sleep 1000 & sleep 1000 & echo ready; wait");
  struct running r = host_start(host, box);
  struct running other = host_exec(host, box, host_script("sleep 1000"), false, false);
  struct zl_rpc_exit how;

  (void)state;
  host_await_text(host, r.out, "ready\n");
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_shutdown, box->id, true), 0);
  how = host_wait(host, box, r.pid);
  assert_int_equal(how.exit_code, 137);
  assert_int_equal(how.signal, SIGKILL);
  assert_false(how.oom_killed);
  assert_int_equal(host_wait(host, box, other.pid).signal, SIGKILL);
  assert_string_equal(host->notified, "ForcedExit");
  host_free(host);
  box_free(box);
}

/* Without a pid namespace nothing but the cgroup holds the container together. */
static void the_rest_ends_with_the_first_process(void **state)
{
  struct host *host = host_new();
  struct box *box = BOX_SH("sleep 1000 & echo $!; exit 0");
  json_t *namespaces = json_object_get(json_object_get(box->config, "linux"), "namespaces");
  struct running r;
  int pid;

  (void)state;
  assert_int_equal(json_array_remove(namespaces, 0), 0); /* pid */
  r = host_start(host, box);
  assert_int_equal(host_wait(host, box, r.pid).exit_code, 0);
  while (!host_port(host, r.out)->eof)
    host_turn(host);
  pid = (int)strtol(host_port(host, r.out)->data.data, NULL, 10);
  assert_true(pid > 0);
  if (kill(pid, 0) == 0) { /* then a zombie that its new parent has not reaped yet */
    char path[32], *text;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    text = read_text(path);
    assert_true(text == NULL || strstr(text, ") Z ") != NULL);
    free(text);
  }
  host_free(host);
  box_free(box);
}

static void no_such_program(void **state)
{
  struct host *host = host_new();
  struct box *box = BOX("/bin/missing");
  struct zl_rpc_process process = { .out_port = 0 };

  (void)state;
  assert_int_equal(host_create(host, box), 0);
  process.out_port = host_listen(host);
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_execute, box->id, &process), -ZL_E_NO_COMMAND);
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_execute, box->id, &process), -ZL_E_CONFLICT);
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_delete, box->id), 0);
  host_free(host);
  box_free(box);
}

static void executed_ones_fail_alone(void **state)
{
  struct host *host = host_new();
  struct box *box = BOX("sleep", "1000");
  struct running r = host_start(host, box);
  json_t *missing =
      json_pack("{s:[s], s:[s], s:s}", "args", "missing", "env", "PATH=/bin", "cwd", "/");
  json_t *plain =
      json_pack("{s:[s], s:[s], s:s}", "args", "/bin/notexec", "env", "PATH=/bin", "cwd", "/");
  struct zl_rpc_process process = { .oci = missing, .out_port = host_listen(host) };

  (void)state;
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_execute, box->id, &process), -ZL_E_NO_COMMAND);
  process = (struct zl_rpc_process){ .oci = plain, .out_port = host_listen(host) };
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_execute, box->id, &process), -ZL_E_NOT_EXECUTABLE);
  json_decref(missing);
  json_decref(plain);
  r = host_exec(host, box, host_script("exit 5"), false, false);
  assert_int_equal(host_wait(host, box, r.pid).exit_code, 5);
  host_stop(host, box, (uint32_t)box->pid);
  host_free(host);
  box_free(box);
}

static void wrong_order_is_refused(void **state)
{
  struct host *host = host_new();
  struct box *box = BOX("sleep", "1000"), *second = BOX("true");
  json_t *process = host_script("true");
  struct zl_rpc_process exec = { .oci = process, .out_port = 0 }, first = { .out_port = 0 };

  (void)state;
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_execute, box->id, &first), -ZL_E_NOT_FOUND);
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_wait, box->id, 1), -ZL_E_NOT_FOUND);
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_delete, box->id), -ZL_E_NOT_FOUND);
  assert_int_equal(host_create(host, box), 0);
  assert_int_equal(host_create(host, box), -ZL_E_CONFLICT);
  assert_int_equal(host_create(host, second), -ZL_E_CONFLICT);
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_execute, box->id, &exec), -ZL_E_CONFLICT);
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_freeze, box->id, true), -ZL_E_CONFLICT);
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_execute, box->id, &first), 0);
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_execute, box->id, &first), -ZL_E_CONFLICT);
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_delete, box->id), -ZL_E_CONFLICT);
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_wait, box->id, 1), -ZL_E_NOT_FOUND);
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_wait, second->id, 1), -ZL_E_NOT_FOUND);
  json_decref(process);
  host_free(host); /* a running container ends with its agent */
  box_free(box);
  box_free(second);
}

static void a_created_one_can_be_deleted(void **state)
{
  struct host *host = host_new();
  struct box *box = BOX("true");

  (void)state;
  assert_int_equal(host_create(host, box), 0);
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_delete, box->id), 0);
  assert_int_equal(host_create(host, box), 0);
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_shutdown, box->id, true), 0);
  while (*host->notified == '\0')
    host_turn(host);
  assert_string_equal(host->notified, "ForcedExit");
  host_free(host);
  box_free(box);
}

static void a_wait_may_have_a_limit(void **state)
{
  struct host *host = host_new();
  struct box *box = BOX("sleep", "1000");
  struct running r = host_start(host, box);

  (void)state;
  assert_int_equal(host_request(host, ZL_BRIDGE_WAIT_FOR_PROCESS, box->id,
                                json_pack("{s:i, s:i}", "ProcessId", (int)r.pid, "TimeoutInMs", 10),
                                NULL),
                   -ZL_E_TIMEOUT);
  host_stop(host, box, r.pid);
  host_free(host);
  box_free(box);
}

/* Few layers go to the kernel in one string, many one by one. */
static void layers_are_stacked(void **state)
{
  static const int counts[] = { 3, 70 };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(counts); i++) {
    struct host *host = host_new();
    struct box *box = BOX_SH("cat /0 /1");
    json_t *layers = json_array();
    struct running r;
    char path[192];

    for (int n = 0; n < counts[i]; n++) {
      zl_autofd dir = -1;

      (void)snprintf(path, sizeof(path), "%s/stack/%d", box_home(), n);
      dir = zl_path_open_dir(AT_FDCWD, path, 0755);
      assert_true(dir >= 0);
      for (int name = n; name < 2; name++) /* the first has both, the second only its own */
        assert_int_equal(
            zl_file_replace(dir, name == 0 ? "0" : "1", n == 0 ? "a" : "b", 1, 0644, false, NULL),
            0);
      (void)json_array_append_new(layers, json_string(path));
    }
    (void)snprintf(path, sizeof(path), "%s/layer", box_home());
    (void)json_array_append_new(layers, json_string(path));
    box_set(box, "zlayer.layers", layers);
    r = host_start(host, box);
    assert_int_equal(host_wait(host, box, r.pid).exit_code, 0);
    host_expect(host, r.out, "aa");
    host_free(host);
    box_free(box);
  }
}

static void wrong_bundles_leave_nothing(void **state)
{
  struct host *host = host_new();
  struct box *box = BOX("true");

  (void)state;
  box_set(box, "zlayer.network",
          json_pack("{s:s, s:s, s:s, s:s, s:i, s:s}", "mode", "bridge", "bridge", "b", "link", "l",
                    "address", "10.0.0.2", "prefix", 24, "gateway", "10.0.0.1"));
  assert_int_equal(host_create(host, box), -ZL_E_UNSUPPORTED);
  box_set(box, "zlayer.network", json_pack("{s:s}", "mode", "none"));
  box_set(box, "zlayer.layers", json_pack("[s]", "/does/not/exist"));
  assert_int_equal(host_create(host, box), -ZL_E_NOT_FOUND);
  box_set(box, "linux.cgroupsPath", json_integer(1));
  assert_int_equal(host_create(host, box), -ZL_E_INVALID);
  host_free(host);
  box_free(box);
}

static void garbage_is_refused_and_forgotten(void **state)
{
  static const char *const configs[] = { "",
                                         "[]",
                                         "{",
                                         "{}",
                                         "{\"SchemaVersion\":{\"Major\":1}}",
                                         "{\"OciSpecification\":7}",
                                         "{\"OciSpecification\":{},\"Files\":{\"../x\":\"\"}}" };
  struct host *host = host_new();

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(configs); i++)
    assert_true(host_request(host, ZL_BRIDGE_CREATE, "c",
                             json_pack("{s:s}", "ContainerConfig", configs[i]), NULL) < 0);
  assert_int_equal(host_request(host, ZL_BRIDGE_CREATE, "c", json_object(), NULL), -ZL_E_INVALID);
  assert_int_equal(host_request(host, ZL_BRIDGE_UPDATE_CONTAINER, "c", json_object(), NULL),
                   -ZL_E_UNSUPPORTED);
  assert_int_equal(host_request(host, ZL_BRIDGE_MODIFY_SETTINGS, NULL, json_object(), NULL),
                   -ZL_E_INVALID);
  assert_int_equal(
      host_request(host, ZL_BRIDGE_MODIFY_SETTINGS, NULL,
                   json_pack("{s:{s:s, s:s, s:{s:s}}}", "Request", "ResourceType", "Identity",
                             "RequestType", "Update", "Settings", "Hostname", "other"),
                   NULL),
      -ZL_E_UNSUPPORTED); /* not its machine */
  runs_and_ends(state);
  host_free(host);
}

static void bytes_that_make_no_sense_end_it(void **state)
{
  struct host *host = host_new();
  uint8_t noise[64];
  int status = 0;

  (void)state;
  memset(noise, 0xa5, sizeof(noise));
  assert_int_equal(zl_fd_write_full(host->bridge_fd, noise, sizeof(noise)), 0);
  assert_int_equal(zl_proc_wait(&host->agent, &status, NULL), 0);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_FAILURE);
  (void)close(host->bridge_fd);
  (void)close(host->stdio_fd);
  zl_bridge_client_free(host->client);
  zl_mux_free(host->mux);
  free(host);
}

static void a_shutdown_of_the_machine_ends_the_agent(void **state)
{
  struct host *host = host_new();
  struct box *box = BOX_SH("trap 'exit 0' TERM; echo ready; while :; do sleep 1; done");
  struct running r = host_start(host, box);

  (void)state;
  host_await_text(host, r.out, "ready\n");
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_shutdown, NULL, false), 0);
  while (*host->notified == '\0')
    host_turn(host);
  assert_string_equal(host->notified, "GracefulExit");
  host_free(host);
  box_free(box);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(runs_and_ends),
    cmocka_unit_test(one_agent_serves_one_after_the_other),
    cmocka_unit_test(signals_reach_the_first_process),
    cmocka_unit_test(a_kill_reaches_all),
    cmocka_unit_test(the_rest_ends_with_the_first_process),
    cmocka_unit_test(no_such_program),
    cmocka_unit_test(executed_ones_fail_alone),
    cmocka_unit_test(wrong_order_is_refused),
    cmocka_unit_test(a_created_one_can_be_deleted),
    cmocka_unit_test(a_wait_may_have_a_limit),
    cmocka_unit_test(layers_are_stacked),
    cmocka_unit_test(wrong_bundles_leave_nothing),
    cmocka_unit_test(garbage_is_refused_and_forgotten),
    cmocka_unit_test(bytes_that_make_no_sense_end_it),
    cmocka_unit_test(a_shutdown_of_the_machine_ends_the_agent),
  };

  return cmocka_run_group_tests_name("guest lifecycle", tests, host_group_begin, host_group_end);
}
