/* SPDX-License-Identifier: Apache-2.0
 *
 * Processes in a running container, and attachments to its own.
 */
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "box.h"

static void run(const char *name, const struct zl_exec_options *options, int code, const char *out,
                const char *errs)
{
  struct zl_exec_result result = { 0 };

  OK(zl_exec(box.rt, box_id(name), options, &result, &err));
  assert_int_equal(result.exit_code, code);
  assert_string_equal(result.out, out);
  assert_string_equal(result.err, errs);
  zl_exec_result_done(&result);
}

static void exec_returns_code_and_output(void **state)
{
  (void)state;
  box_run("target", ARGV(BIN "sleep", "60"));
  run("target", &(struct zl_exec_options){ .argv = SH("echo out; echo no >&2; exit 9") }, 9,
      "out\n", "no\n");
  run("target", &(struct zl_exec_options){ .argv = ARGV(BIN "true") }, 0, "", "");
}

static void exec_refuses_what_cannot_be(void **state)
{
  struct zl_exec_result result;
  struct zl_exec_options options = { .argv = ARGV(BIN "true") };

  (void)state;
  box_create("target", ARGV(BIN "sleep", "60"));
  FAILS(zl_exec(box.rt, box_id("target"), &options, &result, &err), ZL_E_CONFLICT);
  OK(zl_start(box.rt, box_id("target"), &err));
  options.argv = (const char *const[]){ NULL };
  FAILS(zl_exec(box.rt, box_id("target"), &options, &result, &err), ZL_E_INVALID);
  options.argv = ARGV("/no/such/program");
  FAILS(zl_exec(box.rt, box_id("target"), &options, &result, &err), ZL_E_NO_COMMAND);
  if (box.real) {
    options.argv = ARGV("/etc/not-a-program");
    if (!box.windows) /* the image is not what the doubles run programs of */
      FAILS(zl_exec(box.rt, box_id("target"), &options, &result, &err), ZL_E_NOT_EXECUTABLE);
    options.argv = ARGV(BIN "true");
    options.env = ARGV("NO_EQUALS_SIGN");
    FAILS(zl_exec(box.rt, box_id("target"), &options, &result, &err), ZL_E_INVALID);
    options.env = NULL;
    options.cwd = "relative";
    FAILS(zl_exec(box.rt, box_id("target"), &options, &result, &err), ZL_E_INVALID);
  }
  OK(zl_stop(box.rt, box_id("target"), 0, &err));
  options = (struct zl_exec_options){ .argv = ARGV(BIN "true") };
  FAILS(zl_exec(box.rt, box_id("target"), &options, &result, &err), ZL_E_CONFLICT);
}

static void windows_surroundings(void)
{
  run("target", &(struct zl_exec_options){ .argv = SH("echo $IMAGE $OWN; pwd; whoami") }, 0,
      "yes service\nC:\\\nContainerUser\n", "");
  run("target",
      &(struct zl_exec_options){ .argv = SH("echo $IMAGE $OWN $MORE; pwd; whoami"),
                                 .env = ARGV("OWN=exec", "MORE=1"),
                                 .cwd = "C:\\app",
                                 .user = "ContainerAdministrator" },
      0, "yes exec 1\nC:\\app\nContainerAdministrator\n", "");
}

static void exec_has_the_containers_surroundings(void **state)
{
  struct zl_service *service;

  (void)state;
  if (!box.real)
    return;
  service = box_service("target", ARGV(BIN "sleep", "60"));
  OK(zl_pairs_set(&service->env, "OWN", "service", &err));
  OK(zl_text_set(&service->user, box.windows ? "ContainerUser" : "web", &err));
  OK(box_create_service(service, &err));
  zl_service_free(service);
  OK(zl_start(box.rt, box_id("target"), &err));
  if (box.windows) {
    windows_surroundings();
    return;
  }
  run("target", &(struct zl_exec_options){ .argv = SH("echo $IMAGE $OWN $PWD $(id -u) $(id -g)") },
      0, "yes service /srv 1000 1001\n", "");
  run("target",
      &(struct zl_exec_options){ .argv = SH("echo $IMAGE $OWN $MORE $PWD $(id -u)"),
                                 .env = ARGV("OWN=exec", "MORE=1"),
                                 .cwd = "/tmp",
                                 .user = "0" },
      0, "yes exec 1 /tmp 0\n", "");
  run("target", &(struct zl_exec_options){ .argv = SH("id -G"), .user = "1000:2000" }, 0, "2000\n",
      "");
}

static void a_large_output_is_complete(void **state)
{
  struct zl_exec_options options = { .argv = SH("seq 1 200000") };
  struct zl_exec_result result = { 0 };

  (void)state;
  if (!box.real)
    return;
  box_run("target", ARGV(BIN "sleep", "60"));
  OK(zl_exec(box.rt, box_id("target"), &options, &result, &err));
  assert_int_equal(result.out_len, 1288895);
  assert_string_equal(result.out + result.out_len - 7, "200000\n");
  assert_false(result.truncated);
  zl_exec_result_done(&result);
}

/* ---- Sessions
 * ------------------------------------------------------------------------------------- */

static void exec_reads_its_input(void **state)
{
  struct zl_exec_options options = { .argv = ARGV(BIN "cat"), .open_stdin = true };
  struct zl_session *session = NULL;
  struct zl_outcome outcome;
  char text[16] = "";
  int in[2], out[2];

  (void)state;
  box_run("target", ARGV(BIN "sleep", "60"));
  assert_int_equal(pipe2(in, O_CLOEXEC), 0);
  assert_int_equal(pipe2(out, O_CLOEXEC), 0);
  assert_int_equal(write(in[1], "ping\n", 5), 5);
  (void)close(in[1]);
  OK(zl_exec_open(box.rt, box_id("target"), &options, &session, &err));
  OK(zl_session_run(session, &(struct zl_stdio){ in[0], out[1], -1 }, &outcome, &err));
  assert_int_equal(outcome.exit_code, 0);
  assert_int_equal(read(out[0], text, sizeof(text)), 5);
  assert_string_equal(text, "ping\n");
  zl_session_close(session);
  (void)close(in[0]);
  (void)close(out[0]);
  (void)close(out[1]);
}

static void attach_before_start_loses_nothing(void **state)
{
  struct zl_session *session = NULL;
  struct zl_outcome outcome;
  char text[64] = "";
  int out[2];

  (void)state;
  box_create("watched", SH("echo first; echo second; exit 6"));
  assert_int_equal(pipe2(out, O_CLOEXEC), 0);
  OK(zl_attach_open(box.rt, box_id("watched"), &session, &err));
  OK(zl_start(box.rt, box_id("watched"), &err));
  OK(zl_session_run(session, &(struct zl_stdio){ -1, out[1], -1 }, &outcome, &err));
  assert_int_equal(outcome.exit_code, 6);
  assert_int_equal(read(out[0], text, sizeof(text)), 13);
  assert_string_equal(text, "first\nsecond\n");
  FAILS(zl_session_resize(session, 10, 10, &err), ZL_E_CONFLICT);
  zl_session_close(session);
  (void)close(out[0]);
  (void)close(out[1]);
}

static void attach_gives_input_to_the_workload(void **state)
{
  struct zl_service *service;
  struct zl_session *session = NULL;
  struct zl_outcome outcome;
  char text[64] = "";
  int in[2], out[2];

  (void)state;
  if (!box.real)
    return;
  service = box_service("talker", SH("read line; echo got $line"));
  service->stdin_open = true;
  OK(box_create_service(service, &err));
  zl_service_free(service);
  assert_int_equal(pipe2(in, O_CLOEXEC), 0);
  assert_int_equal(pipe2(out, O_CLOEXEC), 0);
  OK(zl_attach_open(box.rt, box_id("talker"), &session, &err));
  OK(zl_start(box.rt, box_id("talker"), &err));
  assert_int_equal(write(in[1], "words\n", 6), 6);
  OK(zl_session_run(session, &(struct zl_stdio){ in[0], out[1], -1 }, &outcome, &err));
  assert_int_equal(read(out[0], text, sizeof(text)), 10);
  assert_string_equal(text, "got words\n");
  zl_session_close(session);
  (void)close(in[0]);
  (void)close(in[1]);
  (void)close(out[0]);
  (void)close(out[1]);
}

#define AWAIT_SIZE "until test \"$(stty size)\" = '33 44'; do sleep 0.01; done"

static void a_terminal_has_a_size(void **state)
{
  struct zl_exec_options options = {
    .argv = SH(AWAIT_SIZE), .tty = true, .open_stdin = true, .rows = 11, .cols = 22
  };
  struct zl_session *session = NULL;
  struct zl_outcome outcome;
  int in[2], out[2];

  (void)state;
  SKIP_ON_WINDOWS("the doubles have no consoles");
  if (!box.real)
    return;
  box_run("target", ARGV(BIN "sleep", "60"));
  assert_int_equal(pipe2(in, O_CLOEXEC), 0);
  assert_int_equal(pipe2(out, O_CLOEXEC), 0);
  OK(zl_exec_open(box.rt, box_id("target"), &options, &session, &err));
  OK(zl_session_resize(session, 33, 44, &err));
  OK(zl_session_run(session, &(struct zl_stdio){ in[0], out[1], -1 }, &outcome, &err));
  assert_int_equal(outcome.exit_code, 0);
  zl_session_close(session);
  (void)close(in[0]);
  (void)close(in[1]);
  (void)close(out[0]);
  (void)close(out[1]);
}

static void a_terminal_begins_with_the_size_asked_for(void **state)
{
  struct zl_exec_options options = {
    .argv = ARGV(BIN "stty", "size"), .tty = true, .rows = 11, .cols = 22
  };
  struct zl_session *session = NULL;
  struct zl_outcome outcome;
  char text[32] = "";
  int out[2];

  (void)state;
  SKIP_ON_WINDOWS("the doubles have no consoles");
  if (!box.real)
    return;
  box_run("target", ARGV(BIN "sleep", "60"));
  assert_int_equal(pipe2(out, O_CLOEXEC), 0);
  OK(zl_exec_open(box.rt, box_id("target"), &options, &session, &err));
  OK(zl_session_run(session, &(struct zl_stdio){ -1, out[1], -1 }, &outcome, &err));
  assert_true(read(out[0], text, sizeof(text) - 1) > 0);
  assert_string_equal(text, "11 22\r\n");
  zl_session_close(session);
  (void)close(out[0]);
  (void)close(out[1]);
}

static void the_workloads_terminal_has_a_size(void **state)
{
  struct zl_container_id id = { .service = "screen", .replica = 1 };
  struct zl_create_options options = { .open_stdin = true, .rows = 11, .cols = 22 };
  struct zl_service *service;
  struct zl_session *session = NULL;
  struct zl_outcome outcome;
  int out[2];

  (void)state;
  SKIP_ON_WINDOWS("the doubles have no consoles");
  if (!box.real)
    return;
  service = box_service("screen", SH(AWAIT_SIZE));
  service->tty = true;
  OK(zl_create(box.rt, &id, service, &options, &err));
  zl_service_free(service);
  assert_int_equal(pipe2(out, O_CLOEXEC), 0);
  OK(zl_attach_open(box.rt, box_id("screen"), &session, &err));
  OK(zl_start(box.rt, box_id("screen"), &err));
  OK(zl_session_resize(session, 33, 44, &err));
  OK(zl_session_run(session, &(struct zl_stdio){ -1, out[1], -1 }, &outcome, &err));
  assert_int_equal(outcome.exit_code, 0);
  zl_session_close(session);
  (void)close(out[0]);
  (void)close(out[1]);
}

static void input_ends_with_its_writer(void **state)
{
  struct zl_container_id id = { .service = "reader", .replica = 1 };
  struct zl_create_options options = { .open_stdin = true };
  struct zl_service *service;
  struct zl_session *session = NULL;
  struct zl_outcome outcome;
  char text[64] = "";
  int in[2], out[2];

  (void)state;
  if (!box.real)
    return;
  service = box_service("reader", SH("cat; echo over; exit 4"));
  OK(zl_create(box.rt, &id, service, &options, &err));
  zl_service_free(service);
  assert_int_equal(pipe2(in, O_CLOEXEC), 0);
  assert_int_equal(pipe2(out, O_CLOEXEC), 0);
  OK(zl_attach_open(box.rt, box_id("reader"), &session, &err));
  OK(zl_start(box.rt, box_id("reader"), &err));
  assert_int_equal(write(in[1], "words\n", 6), 6);
  (void)close(in[1]);
  OK(zl_session_run(session, &(struct zl_stdio){ in[0], out[1], -1 }, &outcome, &err));
  assert_int_equal(outcome.exit_code, 4);
  assert_int_equal(read(out[0], text, sizeof(text)), 11);
  assert_string_equal(text, "words\nover\n");
  zl_session_close(session);
  (void)close(in[0]);
  (void)close(out[0]);
  (void)close(out[1]);
}

/* ---- Much output
 * ------------------------------------------------------------------------------------ */

struct relay {
  struct zl_session *session;
  int out;
  int r;
  struct zl_outcome outcome;
};

/* The reader sees the end when the session has run. */
static void *run_relay(void *arg)
{
  struct relay *relay = arg;

  relay->r = zl_session_run(relay->session, &(struct zl_stdio){ -1, relay->out, -1 },
                            &relay->outcome, NULL);
  (void)close(relay->out);
  return NULL;
}

static size_t count_bytes(int fd)
{
  static char chunk[64 << 10];
  size_t sum = 0;
  ssize_t n;

  while ((n = read(fd, chunk, sizeof(chunk))) > 0)
    sum += (size_t)n;
  assert_int_equal(n, 0);
  return sum;
}

static void a_hundred_mebibytes_pass(void **state)
{
  struct zl_exec_options options = { .argv = SH("dd if=/dev/zero bs=64k count=1600 2>/dev/null") };
  struct relay relay = { .out = -1 };
  pthread_t thread;
  int out[2];

  (void)state;
  if (!box.real)
    return;
  box_run("target", ARGV(BIN "sleep", "60"));
  assert_int_equal(pipe2(out, O_CLOEXEC), 0);
  OK(zl_exec_open(box.rt, box_id("target"), &options, &relay.session, &err));
  relay.out = out[1];
  assert_int_equal(pthread_create(&thread, NULL, run_relay, &relay), 0);
  assert_int_equal(count_bytes(out[0]), 100 << 20);
  (void)pthread_join(thread, NULL);
  assert_int_equal(relay.r, 0);
  assert_int_equal(relay.outcome.exit_code, 0);
  zl_session_close(relay.session);
  (void)close(out[0]);
}

#define MANY       "1000000"
#define MANY_BYTES 6888896

/* More than all buffers on the way hold. Whoever does not read holds up the workload, and nobody
 * else. */
static void a_slow_reader_holds_up_its_workload_only(void **state)
{
  struct relay relay = { .out = -1 };
  struct zl_exec_result result = { 0 };
  pthread_t thread;
  char first;
  int out[2];

  (void)state;
  if (!box.real)
    return;
  box_create("talkative", SH("seq 1 " MANY "; exit 3"));
  assert_int_equal(pipe2(out, O_CLOEXEC), 0);
  OK(zl_attach_open(box.rt, box_id("talkative"), &relay.session, &err));
  OK(zl_start(box.rt, box_id("talkative"), &err));
  relay.out = out[1];
  assert_int_equal(pthread_create(&thread, NULL, run_relay, &relay), 0);
  assert_int_equal(read(out[0], &first, 1), 1);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(box_exec("talkative", SH("seq 1 20000"), &result), 0);
    assert_int_equal(result.out_len, 108894);
    zl_exec_result_done(&result);
  }
  (void)box_await("talkative", ZL_STATE_RUNNING);
  assert_int_equal(count_bytes(out[0]), MANY_BYTES - 1);
  (void)pthread_join(thread, NULL);
  assert_int_equal(relay.r, 0);
  assert_int_equal(relay.outcome.exit_code, 3);
  zl_session_close(relay.session);
  (void)close(out[0]);
}

static void *cancel_later(void *arg)
{
  (void)usleep(50000);
  zl_session_cancel(arg);
  return NULL;
}

static void cancel_ends_the_session_only(void **state)
{
  struct zl_session *session = NULL;
  struct zl_outcome outcome;
  pthread_t thread;

  (void)state;
  box_run("target", ARGV(BIN "sleep", "60"));
  OK(zl_attach_open(box.rt, box_id("target"), &session, &err));
  assert_int_equal(pthread_create(&thread, NULL, cancel_later, session), 0);
  FAILS(zl_session_run(session, &(struct zl_stdio){ -1, -1, -1 }, &outcome, &err), ZL_E_CANCELLED);
  (void)pthread_join(thread, NULL);
  zl_session_close(session);
  (void)box_await("target", ZL_STATE_RUNNING);
}

static void nobody_reading_is_not_fatal(void **state)
{
  struct zl_session *session = NULL;
  struct zl_outcome outcome;
  int out[2];

  (void)state;
  if (!box.real)
    return;
  box_create("chatty", SH("seq 1 20000; exit 5"));
  assert_int_equal(pipe2(out, O_CLOEXEC), 0);
  (void)close(out[0]);
  OK(zl_attach_open(box.rt, box_id("chatty"), &session, &err));
  OK(zl_start(box.rt, box_id("chatty"), &err));
  OK(zl_session_run(session, &(struct zl_stdio){ -1, out[1], -1 }, &outcome, &err));
  assert_int_equal(outcome.exit_code, 5);
  zl_session_close(session);
  (void)close(out[1]);
}

static void a_background_child_does_not_hold_an_exec(void **state)
{
  (void)state;
  SKIP_ON_WINDOWS("the test shell has no background");
  if (!box.real)
    return;
  box_run("target", ARGV(BIN "sleep", "60"));
  run("target", &(struct zl_exec_options){ .argv = SH("sleep 30 & echo started") }, 0, "started\n",
      "");
}

int suite_exec(void)
{
  const struct CMUnitTest cases[] = {
    CASE(exec_returns_code_and_output),
    CASE(exec_refuses_what_cannot_be),
    CASE(exec_has_the_containers_surroundings),
    CASE(a_large_output_is_complete),
    CASE(exec_reads_its_input),
    CASE(attach_before_start_loses_nothing),
    CASE(attach_gives_input_to_the_workload),
    CASE(a_terminal_has_a_size),
    CASE(a_terminal_begins_with_the_size_asked_for),
    CASE(the_workloads_terminal_has_a_size),
    CASE(input_ends_with_its_writer),
    CASE(a_hundred_mebibytes_pass),
    CASE(a_slow_reader_holds_up_its_workload_only),
    CASE(cancel_ends_the_session_only),
    CASE(nobody_reading_is_not_fatal),
    CASE(a_background_child_does_not_hold_an_exec),
  };

  return cmocka_run_group_tests_name("exec", cases, NULL, NULL);
}
