/* SPDX-License-Identifier: Apache-2.0 */
#include "box.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

struct ends {
  int out[2], err[2];
};

static void open_ends(struct ends *ends)
{
  assert_int_equal(pipe2(ends->out, O_CLOEXEC), 0);
  assert_int_equal(pipe2(ends->err, O_CLOEXEC), 0);
}

static void attach(struct box *box, struct ends *ends, bool tty, bool has_stdin)
{
  json_t *reply;

  open_ends(ends);
  reply = box_ask_with(box, (int[]){ ends->out[1], ends->err[1] }, 2,
                       json_pack("{s:s}", "op", "attach"));
  (void)close(ends->out[1]);
  (void)close(ends->err[1]);
  assert_non_null(reply);
  assert_true(json_is_true(json_object_get(reply, "ok")));
  assert_int_equal(json_is_true(json_object_get(reply, "tty")), tty);
  assert_int_equal(json_is_true(json_object_get(reply, "stdin")), has_stdin);
  assert_int_equal(box->n_fds, has_stdin ? 1 : 0);
  json_decref(reply);
}

static void expect_exit_event(struct box *box, int code)
{
  json_t *event = box_receive(box);

  assert_non_null(event);
  assert_string_equal(json_string_value(json_object_get(event, "event")), "exit");
  assert_int_equal(json_integer_value(json_object_get(json_object_get(event, "exit"), "exit_code")),
                   code);
  json_decref(event);
}

/* "000000\n000001\n…" as seq -w prints it. */
static void assert_numbers(const char *text, unsigned count)
{
  for (unsigned i = 1; i <= count; i++) {
    char line[16];

    (void)snprintf(line, sizeof(line), "%06u\n", i);
    if (strncmp(text, line, 7) != 0)
      fail_msg("line %u is missing", i);
    text += 7;
  }
  assert_string_equal(text, "");
}

/* 1 MB on each stream, read only after both pipes are long full: the workload has to wait. */
static void attach_before_start_loses_nothing(void **state)
{
  struct box *box = BOX_SH("seq -w 1 150000 >&2 & seq -w 1 150000; wait; exit 3");
  struct ends ends;
  char *out, *err, *log;
  pid_t reader;

  (void)state;
  box_create(box);
  attach(box, &ends, false, false);
  box_do(box, json_pack("{s:s}", "op", "start"));
  (void)usleep(50000);
  reader = fork();
  if (reader == 0) {
    err = read_all(ends.err[0]);
    assert_numbers(err, 150000);
    _exit(0);
  }
  out = read_all(ends.out[0]);
  assert_numbers(out, 150000);
  free(out);
  (void)close(ends.err[0]);
  expect_exit_event(box, 3);
  assert_int_equal(waitpid(reader, NULL, 0), reader);
  box_end(box);
  log = box_log(box, "stdout");
  assert_numbers(log, 150000);
  free(log);
  log = box_log(box, "stderr");
  assert_numbers(log, 150000);
  free(log);
  (void)close(ends.out[0]);
  box_free(box);
}

static void a_gone_client_is_dropped(void **state)
{
  struct box *box = BOX_SH("seq -w 1 100000");
  struct ends ends;
  char *log;

  (void)state;
  box_create(box);
  attach(box, &ends, false, false);
  box_do(box, json_pack("{s:s}", "op", "start"));
  (void)usleep(20000);
  (void)close(ends.out[0]);
  (void)close(ends.err[0]);
  expect_exit_event(box, 0);
  box_end(box);
  log = box_log(box, "stdout");
  assert_numbers(log, 100000);
  free(log);
  box_free(box);
}

static void a_client_that_never_reads_may_vanish(void **state)
{
  struct box *box = BOX_SH("seq -w 1 100000");
  struct ends ends;
  char *log;

  (void)state;
  box_create(box);
  attach(box, &ends, false, false);
  box_do(box, json_pack("{s:s}", "op", "start"));
  (void)usleep(20000);
  (void)close(box->control); /* its pipes stay open and full */
  box->control = -1;
  box_end(box);
  log = box_log(box, "stdout");
  assert_numbers(log, 100000);
  free(log);
  (void)close(ends.out[0]);
  (void)close(ends.err[0]);
  box_free(box);
}

/* 128 KiB: the client's pipe is full, more is held, and the workload ends all the same. Whoever
 * waits is answered; the slow client still gets everything. */
static void a_slow_client_delays_nobody(void **state)
{
  struct box *box = BOX_SH("seq -w 1 100000 | head -n 17000; exit 2");
  char text[4096], *out;
  struct ends ends;
  int second;

  (void)state;
  box_create(box);
  attach(box, &ends, false, false);
  second = box_connect(box);
  assert_true(write(second, "{\"op\":\"wait\"}", 13) == 13);
  box_do(box, json_pack("{s:s}", "op", "start"));
  assert_true(read(second, text, sizeof(text)) > 0);
  (void)close(second);
  out = read_all(ends.out[0]);
  assert_numbers(out, 17000);
  free(out);
  expect_exit_event(box, 2);
  box_end(box);
  (void)close(ends.out[0]);
  (void)close(ends.err[0]);
  box_free(box);
}

/* SIGTERM ends the waiting for a client that never reads. */
static void lingering_can_be_ended(void **state)
{
  struct box *box = BOX_SH("seq -w 1 100000 | head -n 17000; exit 2");
  struct ends ends;
  char text[4096];
  int second;

  (void)state;
  box_create(box);
  attach(box, &ends, false, false);
  second = box_connect(box);
  assert_true(write(second, "{\"op\":\"wait\"}", 13) == 13);
  box_do(box, json_pack("{s:s}", "op", "start"));
  assert_true(read(second, text, sizeof(text)) > 0);
  (void)close(second);
  assert_int_equal(kill(box->shim.pid, SIGTERM), 0);
  expect_exit_event(box, 2);
  box_end(box);
  (void)close(ends.out[0]);
  (void)close(ends.err[0]);
  box_free(box);
}

static void stdin_goes_to_the_first_client(void **state)
{
  struct box *box = BOX("cat");
  struct ends first, second;
  char *out;
  int in;

  (void)state;
  box_set(box, "zlayer.openStdin", json_true());
  box_create(box);
  attach(box, &first, false, true);
  in = box->fds[0];
  box->n_fds = 0;
  box_do(box, json_pack("{s:s}", "op", "start"));
  assert_int_equal(zl_fd_write_full(in, "hello\nworld", 11), 0);
  (void)close(in); /* the end of input, since the shim has no copy of it */
  out = read_all(first.out[0]);
  assert_string_equal(out, "hello\nworld");
  free(out);
  expect_exit_event(box, 0);
  (void)second;
  box_end(box);
  out = box_log(box, "stdout"); /* an unterminated line is marked as such */
  assert_string_equal(out, "hello\nworld");
  free(out);
  (void)close(first.out[0]);
  (void)close(first.err[0]);
  box_free(box);
}

static void stdin_is_empty_unless_asked_for(void **state)
{
  struct box *box = BOX_SH("cat; readlink /proc/self/fd/0; exit 0");

  (void)state;
  box_expect(box, 0);
  box_assert_output(box, "/dev/null\n");
  box_free(box);
}

static void long_lines_are_split_and_whole(void **state)
{
  struct box *box = BOX_SH("head -c 100000 /dev/zero | tr '\\0' x; echo; echo short; printf end");
  char *log, path[192];
  size_t longest = 0;

  (void)state;
  box_expect(box, 0);
  log = box_log(box, "stdout");
  assert_int_equal(strlen(log), 100000 + 1 + 6 + 3);
  assert_string_equal(log + 100000, "\nshort\nend");
  free(log);
  (void)snprintf(path, sizeof(path), "%s/log/container.log", box->dir);
  log = read_text(path);
  for (char *p = log, *end; (end = strchr(p, '\n')) != NULL; p = end + 1)
    if ((size_t)(end - p) > longest)
      longest = (size_t)(end - p);
  assert_in_range(longest, 16384, 16384 + 64);
  free(log);
  box_free(box);
}

static void log_is_rotated(void **state)
{
  struct box *box = BOX_SH("seq -w 1 100000 | tail -n 20000");
  char path[192], *log, *last;
  struct stat st;

  (void)state;
  box_set(box, "zlayer.log", json_pack("{s:i, s:i}", "maxBytes", 65536, "files", 3));
  box_expect(box, 0);
  for (int i = 0; i < 3; i++) {
    (void)snprintf(path, sizeof(path), "%s/log/container.log%s%.0d", box->dir, i > 0 ? "." : "", i);
    assert_int_equal(stat(path, &st), 0);
    assert_in_range(st.st_size, 1, 65536);
  }
  (void)snprintf(path, sizeof(path), "%s/log/container.log.3", box->dir);
  assert_true(stat(path, &st) < 0);
  /* What is kept is the contiguous end. */
  log = box_log(box, "stdout");
  last = log + strlen(log) - 7;
  assert_string_equal(last, "100000\n");
  for (char *p = log; p < last; p += 7)
    assert_int_equal(strtol(p, NULL, 10) + 1, strtol(p + 7, NULL, 10));
  free(log);
  box_free(box);
}

static void terminal(void **state)
{
  struct box *box =
      BOX_SH("tty; stty size; read line; echo got $line; stty size; ls /dev/console; exit 8");
  struct winsize size = { .ws_row = 50, .ws_col = 132 };
  struct ends ends;
  int master;
  char *out;
  json_t *reply;

  (void)state;
  box_set(box, "process.terminal", json_true());
  box_set(box, "process.consoleSize", json_pack("{s:i, s:i}", "height", 30, "width", 100));
  box_create(box);
  open_ends(&ends);
  reply = box_ask_with(box, &ends.out[1], 1, json_pack("{s:s}", "op", "attach"));
  (void)close(ends.out[1]);
  (void)close(ends.err[1]);
  assert_true(json_is_true(json_object_get(reply, "tty")));
  assert_int_equal(box->n_fds, 1);
  master = box->fds[0];
  box->n_fds = 0;
  json_decref(reply);
  box_do(box, json_pack("{s:s}", "op", "start"));
  box_await_output(box);
  (void)usleep(20000);
  assert_int_equal(ioctl(master, TIOCSWINSZ, &size), 0);
  assert_int_equal(zl_fd_write_full(master, "hello\n", 6), 0);
  out = read_all(ends.out[0]);
  assert_string_equal(out,
                      "/dev/pts/0\r\n30 100\r\nhello\r\ngot hello\r\n50 132\r\n/dev/console\r\n");
  free(out);
  expect_exit_event(box, 8);
  (void)close(master);
  (void)close(ends.out[0]);
  (void)close(ends.err[0]);
  box_end(box);
  box_free(box);
}

/* A terminal's output passes through the kernel's line discipline after the writer is dead. */
static void terminal_output_is_complete(void **state)
{
  (void)state;
  for (int i = 0; i < 5; i++) {
    struct box *box = BOX_SH("stty -onlcr; seq -w 1 100000 | head -n 5000");
    char *log;

    box_set(box, "process.terminal", json_true());
    box_expect(box, 0);
    log = box_log(box, "stdout");
    assert_numbers(log, 5000);
    free(log);
    box_free(box);
  }
}

static void attach_needs_pipes(void **state)
{
  struct box *box = BOX("true");
  int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  json_t *reply;

  (void)state;
  box_create(box);
  reply = box_ask_with(box, (int[]){ null_fd, null_fd }, 2, json_pack("{s:s}", "op", "attach"));
  assert_true(json_is_false(json_object_get(reply, "ok")));
  json_decref(reply);
  (void)close(null_fd);
  box_do(box, json_pack("{s:s}", "op", "start"));
  box_end(box);
  box_free(box);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(attach_before_start_loses_nothing),
    cmocka_unit_test(a_gone_client_is_dropped),
    cmocka_unit_test(a_client_that_never_reads_may_vanish),
    cmocka_unit_test(a_slow_client_delays_nobody),
    cmocka_unit_test(lingering_can_be_ended),
    cmocka_unit_test(stdin_goes_to_the_first_client),
    cmocka_unit_test(stdin_is_empty_unless_asked_for),
    cmocka_unit_test(long_lines_are_split_and_whole),
    cmocka_unit_test(log_is_rotated),
    cmocka_unit_test(terminal),
    cmocka_unit_test(terminal_output_is_complete),
    cmocka_unit_test(attach_needs_pipes),
  };

  return cmocka_run_group_tests(tests, box_group_begin, box_group_end);
}
