/* SPDX-License-Identifier: Apache-2.0
 *
 * Containers in both isolations, from creation to removal, on a host for tests; and every single
 * call of it failing once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_host.h"

#include "base/json.h"
#include "base/time.h"
#include "image/image.h"
#include "runtime/hcs/instance.h"

#define YAML                                                     \
  "version: v1\n"                                                \
  "deployment: hcs-hyperv-e2e\n"                                 \
  "services:\n"                                                  \
  "  echo:\n"                                                    \
  "    rtype: service\n"                                         \
  "    platform: { os: windows, arch: amd64 }\n"                 \
  "    image: { name: mcr.example.com/nanoserver:ltsc2022 }\n"   \
  "    command:\n"                                               \
  "      entrypoint: [cmd, /c, echo, hello]\n"                   \
  "    storage:\n"                                               \
  "      - { type: bind, source: \"C:\\\\conf\", target: /c }\n" \
  "    stdin_open: true\n"                                       \
  "    scale: { mode: fixed, replicas: 1 }\n"

static char *const layers[] = { (char *)(uintptr_t) "C:\\layers\\top",
                                (char *)(uintptr_t) "C:\\layers\\base" };
static const struct zl_hcs_link link_to = {
  .slice = "10.220.99.16/28", .address = "10.220.99.18", .gateway = "10.220.99.17", .prefix = 28
};

struct seen {
  char out[64], err[64];
  int ended;
};

static void output(void *ctx, bool is_err, const void *data, size_t len)
{
  struct seen *seen = ctx;
  char *to = is_err ? seen->err : seen->out;

  (void)strncat(to, data, len);
}

static void ended(void *ctx)
{
  struct seen *seen = ctx;

  seen->ended++;
}

struct stage {
  struct zl_hcs_node node;
  struct zl_deployment *deployment;
  struct zl_image_config image;
  struct zl_hcs_instance_spec spec;
  struct zl_hcs_instance_hooks hooks;
  struct seen seen;
};

static void stage_open(struct stage *stage, enum zl_isolation isolation,
                       const struct fake_options *options)
{
  struct zl_spec_errors errors = { 0 };
  struct zl_error err = { 0 };

  memset(stage, 0, sizeof(*stage));
  stage->node = (struct zl_hcs_node){ .api = fake_start(options),
                                      .owner = "zlayer-test",
                                      .network = "zlayer-1a2b3c4d",
                                      .cpus = 4,
                                      .accept_ms = 20000,
                                      .end_ms = 1000 };
  fake_add_layer(layers[0], false);
  fake_add_layer(layers[1], true);
  if (zl_deployment_parse(YAML, strlen(YAML), "test.yaml", &stage->deployment, &errors, &err) < 0)
    fail_msg("%s", err.msg);
  zl_spec_errors_done(&errors);
  stage->hooks =
      (struct zl_hcs_instance_hooks){ .ctx = &stage->seen, .output = output, .ended = ended };
  stage->spec =
      (struct zl_hcs_instance_spec){ .id = "echo-rep-1",
                                     .dir = "C:\\box",
                                     .service = zl_service_find(stage->deployment, "echo"),
                                     .image = &stage->image,
                                     .isolation = isolation,
                                     .layers = layers,
                                     .n_layers = 2,
                                     .link = &link_to,
                                     .scratch_bytes = UINT64_C(20) << 30 };
}

/* What is left of the host is told by `what`. */
static void stage_close(struct stage *stage, const char *what)
{
  if (fake_leaks()[0] != '\0')
    fail_msg("%s left: %s", what, fake_leaks());
  if (fake_misuse()[0] != '\0')
    fail_msg("%s: %s", what, fake_misuse());
  zl_deployment_free(stage->deployment);
  fake_stop();
}

static uint64_t in_seconds(uint64_t s)
{
  return zl_time_boot() + s * ZL_NS_PER_S;
}

static const char *doing = ""; /* what the case is about, for messages */

#define ok(call)                                      \
  do {                                                \
    struct zl_error err_ = { 0 };                     \
    struct zl_error *err = &err_;                     \
    if ((call) < 0)                                   \
      fail_msg("%s: %s: %s", doing, #call, err->msg); \
  } while (0)

/* ---- Ordinary lives ---- */

static void echo_runs_to_its_end(enum zl_isolation isolation)
{
  const struct fake_options options = { .command = FAKE_ECHO };
  struct zl_hcs_instance *box = NULL;
  struct zl_hcs_status status;
  struct stage stage;

  stage_open(&stage, isolation, &options);
  ok(zl_hcs_instance_create(&stage.node, &stage.spec, &stage.hooks, &box, err));
  assert_int_equal(fake_count_of("HcsStartComputeSystem"), 0); /* create starts nothing */
  ok(zl_hcs_instance_start(box, err));
  ok(zl_hcs_instance_wait(box, in_seconds(20), err));
  zl_hcs_instance_status(box, &status);
  assert_int_equal(status.phase, ZL_HCS_ENDED);
  assert_true(status.code_known);
  assert_int_equal(status.code, 3);
  assert_string_equal(stage.seen.out, "hello");
  assert_string_equal(stage.seen.err, "oops");
  assert_int_equal(zl_hcs_instance_start(box, NULL), -ZL_E_CONFLICT);
  ok(zl_hcs_instance_stop(box, ZL_HCS_CTRL_SHUTDOWN, 100, err));
  ok(zl_hcs_instance_remove(box, err));
  assert_int_equal(stage.seen.ended, 1);
  ok(zl_hcs_instance_remove(box, err));
  zl_hcs_instance_free(box);
  stage_close(&stage, "echo");
}

static void echo_on_the_host(void **state)
{
  (void)state;
  echo_runs_to_its_end(ZL_ISOLATION_PROCESS);
}

static void echo_in_a_machine(void **state)
{
  (void)state;
  echo_runs_to_its_end(ZL_ISOLATION_HYPERV);
}

static void exec_hostname(struct zl_hcs_instance *box)
{
  zl_autojson *parameters = json_pack("{s:s, s:b, s:b}", "CommandLine", "cmd /c hostname",
                                      "CreateStdOutPipe", 1, "CreateStdErrPipe", 1);
  const struct zl_hcs_task_options options = { .parameters = parameters, .out = true, .err = true };
  struct zl_hcs_task *task = NULL;

  ok(zl_hcs_instance_exec(box, &options, &task, err));
  assert_non_null(task->out.ctx);
  assert_null(task->in.ctx);
  ok(zl_hcs_task_signal(task, ZL_HCS_TERMINATE, err));
  {
    uint32_t code = 0;

    ok(zl_hcs_task_wait(task, in_seconds(20), &code, err));
    assert_int_equal(code, 1);
  }
  assert_int_equal(zl_hcs_instance_remove(box, NULL), -ZL_E_CONFLICT);
  zl_hcs_instance_exec_close(box, task);
}

static void sleep_is_stopped(enum zl_isolation isolation, bool ignores)
{
  const struct fake_options options = { .command = FAKE_SLEEP, .ignores_events = ignores };
  struct zl_hcs_instance *box = NULL;
  struct zl_hcs_status status;
  struct zl_stats stats;
  struct stage stage;

  stage_open(&stage, isolation, &options);
  ok(zl_hcs_instance_create(&stage.node, &stage.spec, &stage.hooks, &box, err));
  assert_int_equal(zl_hcs_instance_signal(box, ZL_HCS_CTRL_C, NULL), -ZL_E_CONFLICT);
  ok(zl_hcs_instance_start(box, err));
  exec_hostname(box);
  ok(zl_hcs_instance_write(box, "abc", 3, err));
  ok(zl_hcs_instance_finish_input(box, err));
  ok(zl_hcs_instance_stats(box, &stats, err));
  assert_int_equal(stats.cpu_usage_ns, 7000);
  assert_int_equal(stats.memory_bytes, 4096);
  ok(zl_hcs_instance_pause(box, true, err));
  ok(zl_hcs_instance_pause(box, false, err));
  ok(zl_hcs_instance_stop(box, ZL_HCS_CTRL_SHUTDOWN, ignores ? 50 : 20000, err));
  zl_hcs_instance_status(box, &status);
  assert_int_equal(status.phase, ZL_HCS_ENDED);
  assert_int_equal(status.code, ignores ? 1 : 5);
  assert_int_equal(status.forced, ignores);
  ok(zl_hcs_instance_remove(box, err));
  zl_hcs_instance_free(box);
  stage_close(&stage, "sleep");
}

static void sleep_on_the_host(void **state)
{
  (void)state;
  sleep_is_stopped(ZL_ISOLATION_PROCESS, false);
  sleep_is_stopped(ZL_ISOLATION_PROCESS, true);
}

static void sleep_in_a_machine(void **state)
{
  (void)state;
  sleep_is_stopped(ZL_ISOLATION_HYPERV, false);
  sleep_is_stopped(ZL_ISOLATION_HYPERV, true);
}

/* ---- What can go wrong on a host ---- */

static struct zl_hcs_instance *started(struct stage *stage, enum zl_isolation isolation,
                                       const struct fake_options *options)
{
  struct zl_hcs_instance *box = NULL;

  stage_open(stage, isolation, options);
  ok(zl_hcs_instance_create(&stage->node, &stage->spec, &stage->hooks, &box, err));
  ok(zl_hcs_instance_start(box, err));
  return box;
}

static void ends_for(enum zl_isolation isolation, void (*happens)(void), const char *why)
{
  const struct fake_options options = { .command = FAKE_SLEEP };
  struct zl_hcs_status status;
  struct stage stage;
  struct zl_hcs_instance *box = started(&stage, isolation, &options);

  happens();
  ok(zl_hcs_instance_wait(box, in_seconds(20), err));
  zl_hcs_instance_status(box, &status);
  if (!status.code_known && strstr(status.why, why) == NULL)
    fail_msg("'%s' is not in '%s'", why, status.why);
  ok(zl_hcs_instance_remove(box, err));
  zl_hcs_instance_free(box);
  stage_close(&stage, why);
}

static void a_crash_is_the_containers_end(void **state)
{
  (void)state;
  ends_for(ZL_ISOLATION_PROCESS, fake_crash, "UnexpectedExit");
  ends_for(ZL_ISOLATION_HYPERV, fake_crash, "UnexpectedExit");
}

static void the_services_end_is_the_containers(void **state)
{
  (void)state;
  ends_for(ZL_ISOLATION_PROCESS, fake_disconnect, "vmcompute");
  ends_for(ZL_ISOLATION_HYPERV, fake_disconnect, "vmcompute");
}

static void a_late_crash_keeps_the_code(void **state)
{
  const struct fake_options options = { .command = FAKE_ECHO };
  struct zl_hcs_status status;
  struct stage stage;
  struct zl_hcs_instance *box = started(&stage, ZL_ISOLATION_HYPERV, &options);

  (void)state;
  ok(zl_hcs_instance_wait(box, in_seconds(20), err));
  fake_crash();
  zl_hcs_instance_status(box, &status);
  assert_true(status.code_known);
  assert_int_equal(status.code, 3);
  ok(zl_hcs_instance_remove(box, err));
  zl_hcs_instance_free(box);
  stage_close(&stage, "late crash");
}

static void a_start_fails_with(const struct fake_options *options, enum zl_code code,
                               const char *text)
{
  struct zl_hcs_instance *box = NULL;
  struct zl_error why = { 0 };
  struct stage stage;

  stage_open(&stage, ZL_ISOLATION_HYPERV, options);
  stage.node.accept_ms = 100;
  ok(zl_hcs_instance_create(&stage.node, &stage.spec, &stage.hooks, &box, err));
  assert_int_equal(zl_hcs_instance_start(box, &why), -(int)code);
  if (strstr(why.msg, text) == NULL)
    fail_msg("%s", why.msg);
  ok(zl_hcs_instance_remove(box, err));
  zl_hcs_instance_free(box);
  stage_close(&stage, text);
}

static void a_guest_that_never_dials(void **state)
{
  const struct fake_options never = { .never_dials = true }, dies = { .dies_early = true };

  (void)state;
  a_start_fails_with(&never, ZL_E_TIMEOUT, "has not dialled");
  a_start_fails_with(&dies, ZL_E_REMOTE, "UnexpectedExit");
}

static void a_failed_machine_can_be_kept(void **state)
{
  const struct fake_options options = { .never_dials = true };
  struct zl_hcs_instance *box = NULL;
  struct stage stage;

  (void)state;
  stage_open(&stage, ZL_ISOLATION_HYPERV, &options);
  stage.node.accept_ms = 50;
  stage.node.keep_on_failure = true;
  ok(zl_hcs_instance_create(&stage.node, &stage.spec, &stage.hooks, &box, err));
  assert_int_equal(zl_hcs_instance_start(box, NULL), -ZL_E_TIMEOUT);
  assert_non_null(strstr(fake_leaks(), "C:\\box\\vm\\sandbox.vhdx"));
  assert_int_equal(zl_hcs_instance_start(box, NULL), -ZL_E_TIMEOUT);
  ok(zl_hcs_instance_remove(box, err));
  zl_hcs_instance_free(box);
  stage_close(&stage, "kept machine");
}

/* Windows Server 2022 completes HcsCreateProcess at once, and the wait fails. */
static void a_process_is_made_at_once(void **state)
{
  const struct fake_options options = { .command = FAKE_ECHO, .quirk = true };
  struct stage stage;
  struct zl_hcs_instance *box = started(&stage, ZL_ISOLATION_PROCESS, &options);

  (void)state;
  ok(zl_hcs_instance_wait(box, in_seconds(20), err));
  assert_string_equal(stage.seen.out, "hello");
  ok(zl_hcs_instance_remove(box, err));
  zl_hcs_instance_free(box);
  stage_close(&stage, "quirk");
}

static void disks_are_slow_and_stick(void **state)
{
  const struct fake_options options = { .command = FAKE_ECHO,
                                        .not_ready = true,
                                        .stays_attached = true };
  struct stage stage;
  struct zl_hcs_instance *box = started(&stage, ZL_ISOLATION_PROCESS, &options);

  (void)state;
  assert_int_equal(fake_count_of("ActivateLayer"), 3);
  ok(zl_hcs_instance_wait(box, in_seconds(20), err));
  ok(zl_hcs_instance_remove(box, err));
  zl_hcs_instance_free(box);
  stage_close(&stage, "disks");
}

static void a_shutdown_that_hangs_ends_by_force(void **state)
{
  const struct fake_options options = { .command = FAKE_ECHO, .hangs = true };
  struct stage stage;
  struct zl_hcs_instance *box = started(&stage, ZL_ISOLATION_PROCESS, &options);

  (void)state;
  ok(zl_hcs_instance_wait(box, in_seconds(20), err));
  assert_int_equal(fake_count_of("HcsTerminateComputeSystem"), 1);
  ok(zl_hcs_instance_remove(box, err));
  zl_hcs_instance_free(box);
  stage_close(&stage, "hanging shutdown");
}

/* A process that died left everything: the same container is created again over it. */
static void what_a_crash_left_is_replaced(void **state)
{
  const struct fake_options options = { .command = FAKE_SLEEP };
  struct zl_hcs_instance *lost = NULL, *box = NULL;
  struct stage stage;

  (void)state;
  stage_open(&stage, ZL_ISOLATION_HYPERV, &options);
  ok(zl_hcs_instance_create(&stage.node, &stage.spec, NULL, &lost, err));
  ok(zl_hcs_instance_create(&stage.node, &stage.spec, NULL, &box, err));
  ok(zl_hcs_instance_remove(lost, err));
  zl_hcs_instance_free(lost);
  ok(zl_hcs_instance_remove(box, err));
  zl_hcs_instance_free(box);
  ok(zl_hcs_instance_reap(&stage.node, "echo-rep-1", "C:\\box", err));
  stage_close(&stage, "replaced");
}

static void a_leaked_address_is_taken_back(void **state)
{
  const struct fake_options options = { .command = FAKE_ECHO };
  struct zl_hcs_instance *lost = NULL, *box = NULL;
  struct stage stage;

  (void)state;
  stage_open(&stage, ZL_ISOLATION_HYPERV, &options);
  ok(zl_hcs_instance_create(&stage.node, &stage.spec, NULL, &lost, err));
  stage.spec.id = "other-rep-1"; /* the lease's new owner, in a directory of its own */
  stage.spec.isolation = ZL_ISOLATION_PROCESS;
  ok(zl_hcs_instance_create(&stage.node, &stage.spec, NULL, &box, err));
  assert_int_equal(fake_count_of("HcnEnumerateEndpoints"), 1);
  ok(zl_hcs_instance_remove(box, err));
  zl_hcs_instance_free(box);
  ok(zl_hcs_instance_remove(lost, err));
  zl_hcs_instance_free(lost);
  stage_close(&stage, "leaked address");
}

/* ---- Every call, failing once ---- */

/* A whole life in which one call fails. What fails is asked for again, and has to work then. */
static void live(struct stage *stage, const char *what, bool stops)
{
  struct zl_hcs_instance *box = NULL;
  struct zl_error why = { 0 };
  int r = zl_hcs_instance_create(&stage->node, &stage->spec, &stage->hooks, &box, &why);

  doing = what;
  if (r < 0) {
    if (!fake_has_failed() || strncmp(why.msg, "creating container 'echo-rep-1': ", 33) != 0)
      fail_msg("%s: create: %s", what, why.msg);
    if (fake_leaks()[0] != '\0')
      fail_msg("%s: create left: %s", what, fake_leaks());
    ok(zl_hcs_instance_create(&stage->node, &stage->spec, &stage->hooks, &box, err));
  }
  r = zl_hcs_instance_start(box, &why);
  if (r < 0) {
    if (!fake_has_failed() || why.msg[0] == '\0' || strstr(why.msg, "starting container") != NULL)
      fail_msg("%s: start: %s", what, why.msg);
    ok(zl_hcs_instance_start(box, err));
  }
  if (stops && zl_hcs_instance_stop(box, ZL_HCS_CTRL_SHUTDOWN, 50, NULL) < 0)
    ok(zl_hcs_instance_stop(box, ZL_HCS_CTRL_SHUTDOWN, 50, err));
  ok(zl_hcs_instance_wait(box, in_seconds(20), err));
  if (zl_hcs_instance_remove(box, &why) < 0) {
    if (!fake_has_failed())
      fail_msg("%s: remove: %s", what, why.msg);
    ok(zl_hcs_instance_remove(box, err));
  }
  zl_hcs_instance_free(box);
}

static void each_call_fails(enum zl_isolation isolation, enum fake_command command, zl_hr hr)
{
  const struct fake_options options = { .command = command };
  struct fake_count counts[128];
  struct stage stage;
  size_t n;

  stage_open(&stage, isolation, &options);
  live(&stage, "no failure", command == FAKE_SLEEP);
  n = fake_counts(counts, 128);
  for (size_t i = 0; i < n; i++)
    counts[i].name = strdup(counts[i].name);
  stage_close(&stage, "no failure");
  assert_true(n > 25);
  for (size_t i = 0; i < n; i++)
    for (unsigned nth = 1; nth <= counts[i].count; nth++) {
      char what[100];

      (void)snprintf(what, sizeof(what), "%s %u (0x%08x)", counts[i].name, nth, hr);
      stage_open(&stage, isolation, &options);
      fake_fail(counts[i].name, nth, hr);
      live(&stage, what, command == FAKE_SLEEP);
      stage_close(&stage, what);
    }
  for (size_t i = 0; i < n; i++)
    free((void *)(uintptr_t)counts[i].name);
}

static void each_call_fails_on_the_host(void **state)
{
  (void)state;
  each_call_fails(ZL_ISOLATION_PROCESS, FAKE_ECHO, 0x80004005);
  each_call_fails(ZL_ISOLATION_PROCESS, FAKE_SLEEP, 0x80070005);
}

static void each_call_fails_in_a_machine(void **state)
{
  (void)state;
  each_call_fails(ZL_ISOLATION_HYPERV, FAKE_ECHO, 0x80004005);
  each_call_fails(ZL_ISOLATION_HYPERV, FAKE_SLEEP, 0x80070057);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(echo_on_the_host),
    cmocka_unit_test(echo_in_a_machine),
    cmocka_unit_test(sleep_on_the_host),
    cmocka_unit_test(sleep_in_a_machine),
    cmocka_unit_test(a_crash_is_the_containers_end),
    cmocka_unit_test(the_services_end_is_the_containers),
    cmocka_unit_test(a_late_crash_keeps_the_code),
    cmocka_unit_test(a_guest_that_never_dials),
    cmocka_unit_test(a_failed_machine_can_be_kept),
    cmocka_unit_test(a_process_is_made_at_once),
    cmocka_unit_test(disks_are_slow_and_stick),
    cmocka_unit_test(a_shutdown_that_hangs_ends_by_force),
    cmocka_unit_test(what_a_crash_left_is_replaced),
    cmocka_unit_test(a_leaked_address_is_taken_back),
    cmocka_unit_test(each_call_fails_on_the_host),
    cmocka_unit_test(each_call_fails_in_a_machine),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
