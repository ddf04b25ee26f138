/* SPDX-License-Identifier: Apache-2.0
 *
 * Guests that never stop: whatever they send, the shim neither grows nor sleeps through a request
 * (fake_qemu.c).
 */
#include "vm_box.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

enum {
  GRACE_MS = 300
};

static void stays_small(const char *role)
{
  struct box *box = vm_running(role);
  size_t before = vm_memory(box);

  for (int i = 0; i < 2000; i++) {
    zl_autofree char *status = vm_state(box, "status");

    assert_string_equal(status, "running");
  }
  vm_assert_no_growth(box, before);
  vm_stop(box, 0);
  vm_expect_end(box, 137, "signal");
  vm_free(box);
}

static void floods_leave_it_small_and_awake(void **state)
{
  (void)state;
  stays_small("hold bridge-notifies");
  stays_small("hold qmp-events");
  stays_small("hold console-flood");
  stays_small("hold bridge-big");
  stays_small("hold qmp-big");
  stays_small("hold qmp-endless");
  stays_small("hold streams-stale");
  stays_small("hold streams-zero");
}

static void output_without_end_fills_the_log_only(void **state)
{
  struct box *box = vm_box("hold streams-flood");
  struct stat st;
  size_t before;

  (void)state;
  box_set(box, "zlayer.log.maxBytes", json_integer(1 << 20));
  box_set(box, "zlayer.log.files", json_integer(3));
  box_run(box);
  before = vm_memory(box);
  while (faccessat(box->dir_fd, "log/container.log.2", F_OK, 0) < 0)
    (void)usleep(2000);
  assert_int_equal(fstatat(box->dir_fd, "log/container.log.2", &st, 0), 0);
  assert_true(st.st_size <= 1 << 20);
  vm_assert_no_growth(box, before);
  vm_stop(box, GRACE_MS);
  box_end(box);
  vm_free(box);
}

/* ---- Readers that do not read -------------------------------------------------------------- */

static void ask_often(struct box *box)
{
  for (int i = 0; i < 500; i++) {
    int other = box_connect(box); /* the other one has a session */
    static const char question[] = "{\"op\":\"state\"}";
    char answer[4096];

    assert_true(other >= 0);
    assert_true(zl_fd_send(other, question, sizeof(question) - 1, NULL, 0) > 0);
    assert_true(recv(other, answer, sizeof(answer), 0) > 0);
    (void)close(other);
  }
}

static void kill_and_free(struct box *box, int reader)
{
  static const char request[] = "{\"op\":\"kill\",\"signal\":9}";
  int other = box_connect(box);

  assert_true(other >= 0);
  assert_true(zl_fd_send(other, request, sizeof(request) - 1, NULL, 0) > 0);
  (void)close(reader); /* it would still be waited for */
  vm_expect_end(box, 137, "signal");
  (void)close(other);
  vm_free(box);
}

static void attach(struct box *box, int *ret_reader)
{
  json_t *reply;
  int out[2];

  assert_int_equal(pipe2(out, O_CLOEXEC), 0);
  reply = box_ask_with(box, (int[]){ out[1], out[1] }, 2, json_pack("{s:s}", "op", "attach"));
  assert_non_null(reply);
  assert_true(json_is_true(json_object_get(reply, "ok")));
  json_decref(reply);
  (void)close(out[1]);
  *ret_reader = out[0];
}

/* A session whose output goes nowhere holds up itself. */
static void an_exec_that_is_not_read_stays_small(void **state)
{
  struct box *box = vm_running("hold streams-flood");
  size_t before = vm_memory(box);
  int out[2], null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  json_t *reply;

  (void)state;
  assert_int_equal(pipe2(out, O_CLOEXEC), 0);
  reply = box_ask_with(
      box, (int[]){ null_fd, out[1], out[1] }, 3,
      json_pack("{s:s, s:{s:[s], s:s}}", "op", "exec", "process", "args", "cat", "cwd", "/"));
  assert_non_null(reply);
  assert_true(json_is_true(json_object_get(reply, "ok")));
  json_decref(reply);
  (void)close(null_fd);
  (void)close(out[1]);
  ask_often(box);
  vm_assert_no_growth(box, before);
  kill_and_free(box, out[0]);
}

/* As docs/shim.md says, it slows the workload. */
static void a_client_that_does_not_read_stays_small(void **state)
{
  struct box *box = vm_box("hold streams-flood");
  size_t before;
  int reader;

  (void)state;
  box_create(box);
  attach(box, &reader);
  before = vm_memory(box);
  json_decref(box_ask(box, "{s:s}", "op", "start"));
  ask_often(box);
  vm_assert_no_growth(box, before);
  kill_and_free(box, reader);
}

/* One that then writes all the same breaks its promise. */
static void a_guest_that_ignores_its_window_is_a_failure(void **state)
{
  struct box *box = vm_box("hold streams-never streams-beyond");
  size_t before;
  int reader;

  (void)state;
  box_create(box);
  attach(box, &reader);
  before = vm_memory(box);
  json_decref(box_ask(box, "{s:s}", "op", "start"));
  while (faccessat(box->dir_fd, "exit.json", F_OK, 0) < 0)
    (void)usleep(2000);
  vm_assert_no_growth(box, before);
  (void)close(reader);
  vm_expect_failed(box, "bytes where ");
  vm_free(box);
}

/* Bytes that the guest grants no room for are not taken from who writes them. */
static void input_that_is_not_taken_waits_outside(void **state)
{
  static char chunk[4096];
  struct box *box = vm_box("hold");
  size_t before, taken = 0;
  int reader, input;

  (void)state;
  box_set(box, "zlayer.openStdin", json_true());
  box_create(box);
  attach(box, &reader);
  assert_int_equal(box->n_fds, 1);
  before = vm_memory(box);
  input = fcntl(box->fds[0], F_DUPFD_CLOEXEC, 3);
  assert_int_equal(fcntl(input, F_SETFL, O_NONBLOCK), 0);
  box_send(box, NULL, 0, json_pack("{s:s}", "op", "start"));
  for (int idle = 0; idle < 200; idle++) {
    ssize_t n = write(input, chunk, sizeof(chunk));

    if (n > 0) {
      taken += (size_t)n;
      idle = 0;
    }
    assert_true(taken <= 1 << 20); /* a pipe, and the guest's window */
    (void)usleep(1000);
  }
  assert_true(taken >= 64 << 10);
  vm_assert_no_growth(box, before);
  (void)close(input);
  kill_and_free(box, reader);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    VM_CASE(floods_leave_it_small_and_awake),
    VM_CASE(output_without_end_fills_the_log_only),
    VM_CASE(an_exec_that_is_not_read_stays_small),
    VM_CASE(a_client_that_does_not_read_stays_small),
    VM_CASE(a_guest_that_ignores_its_window_is_a_failure),
    VM_CASE(input_that_is_not_taken_waits_outside),
  };

  return cmocka_run_group_tests(tests, vm_group_begin, box_group_end);
}
