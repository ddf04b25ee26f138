/* SPDX-License-Identifier: Apache-2.0 */
#include "box.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/fd.h"

static struct box *idle_box(void)
{
  struct box *box = BOX("sleep", "100");

  box_run(box);
  return box;
}

static void stop_box(struct box *box)
{
  json_t *reply = box_ask(box, "{s:s, s:i}", "op", "kill", "signal", SIGKILL);

  json_decref(reply);
  box_end(box);
  box_free(box);
}

static void assert_exec(struct box *box, const char *script, const char *user, const char *output)
{
  char *out = box_exec(box, script, user, 0);

  if (strcmp(out, output) != 0)
    fail_msg("exec '%s' printed '%s' instead of '%s'", script, out, output);
  free(out);
}

static void exit_codes(void **state)
{
  struct box *box = idle_box();

  (void)state;
  free(box_exec(box, "exit 0", NULL, 0));
  free(box_exec(box, "exit 42", NULL, 42));
  free(box_exec(box, "kill -KILL $$", NULL, 137));
  free(box_exec(box, "kill -TERM $$", NULL, 143));
  stop_box(box);
}

static void separate_streams_and_stdin(void **state)
{
  struct box *box = idle_box();
  int in[2], out[2], err[2];
  json_t *process =
      json_pack("{s:[s,s,s], s:[s,s], s:s}", "args", "sh", "-c", "cat; echo $MINE; pwd >&2", "env",
                "PATH=/bin", "MINE=yes", "cwd", "/tmp");
  json_t *reply;
  char *text;

  (void)state;
  assert_int_equal(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC) | pipe2(err, O_CLOEXEC), 0);
  reply = box_ask_with(box, (int[]){ in[0], out[1], err[1] }, 3,
                       json_pack("{s:s, s:o}", "op", "exec", "process", process));
  assert_true(json_is_true(json_object_get(reply, "ok")));
  assert_true(json_integer_value(json_object_get(reply, "pid")) > 0);
  json_decref(reply);
  (void)close(in[0]);
  (void)close(out[1]);
  (void)close(err[1]);
  assert_int_equal(zl_fd_write_full(in[1], "input\n", 6), 0);
  (void)close(in[1]);
  text = read_all(out[0]);
  assert_string_equal(text, "input\nyes\n");
  free(text);
  text = read_all(err[0]);
  assert_string_equal(text, "/tmp\n");
  free(text);
  (void)close(out[0]);
  (void)close(err[0]);
  json_decref(box_receive(box));
  stop_box(box);
}

static void users(void **state)
{
  struct box *box = idle_box();

  (void)state;
  assert_exec(box, "id -u; id -g; id -G; echo $HOME", NULL, "0\n0\n0\n/root\n");
  assert_exec(box, "id -u; id -g; id -G; echo $HOME", "user",
              "1000\n1000\n1000 2000\n/home/user\n");
  assert_exec(box, "id -u; id -g; id -G", "1234:3000", "1234\n3000\n3000\n");
  assert_exec(box, "echo hi > /dev/stdout", "user", "hi\n");
  stop_box(box);
}

/* The first process and an exec'd one are under the same rules. */
static void same_confinement_as_init(void **state)
{
  static const char script[] =
      "grep -E '^(Cap|NoNewPrivs|Seccomp:|Groups)' /proc/self/status; readlink /proc/self/ns/pid;"
      "readlink /proc/self/ns/net; readlink /proc/self/ns/mnt; readlink /proc/self/ns/ipc;"
      "readlink /proc/self/ns/uts; readlink /proc/self/ns/cgroup; cat /proc/self/cgroup;"
      "ls /proc/self/fd; pwd";
  struct box *box = BOX_SH("");
  char command[1024], *init, *exec;

  (void)state;
  (void)snprintf(command, sizeof(command), "%s; sleep 100", script);
  box_set(box, "process.args", json_pack("[s,s,s]", "sh", "-c", command));
  box_run(box);
  box_await_output(box);
  init = box_log(box, "stdout");
  for (int i = 0; i < 1000 && strstr(init, "\n3\n/\n") == NULL; i++) { /* its last lines */
    free(init);
    (void)usleep(10000);
    init = box_log(box, "stdout");
  }
  exec = box_exec(box, script, NULL, 0);
  assert_string_equal(init, exec);
  assert_non_null(strstr(init, "CapInh:\t0000000000000000\n"));
  assert_non_null(strstr(init, "CapAmb:\t0000000000000000\n"));
  /* CHOWN 0, DAC_OVERRIDE 1, KILL 5, SETGID 6, SETUID 7, NET_RAW 13 */
  assert_non_null(strstr(init, "CapPrm:\t00000000000020e3\n"));
  assert_non_null(strstr(init, "CapEff:\t00000000000020e3\n"));
  assert_non_null(strstr(init, "CapBnd:\t00000000000020e3\n"));
  assert_non_null(strstr(init, "NoNewPrivs:\t1\n"));
  assert_non_null(strstr(init, "Seccomp:\t2\n"));
  assert_non_null(strstr(init, "\n0\n1\n2\n3\n/\n")); /* 3: the directory that ls reads */
  free(init);
  free(exec);
  stop_box(box);
}

static void failures(void **state)
{
  static const struct {
    const char *command, *code;
  } cases[] = {
    { "nosuch", "NO_COMMAND" },
    { "notexec", "NOT_EXECUTABLE" },
  };
  struct box *box = idle_box();
  int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    json_t *process =
        json_pack("{s:[s], s:[s], s:s}", "args", cases[i].command, "env", "PATH=/bin", "cwd", "/");
    json_t *reply = box_ask_with(box, (int[]){ null_fd, null_fd, null_fd }, 3,
                                 json_pack("{s:s, s:o}", "op", "exec", "process", process));

    assert_true(json_is_false(json_object_get(reply, "ok")));
    assert_string_equal(json_string_value(json_object_get(reply, "code")), cases[i].code);
    json_decref(reply);
  }
  (void)close(null_fd);
  stop_box(box);
}

static void terminal_with_resize(void **state)
{
  struct box *box = idle_box();
  struct winsize size = { .ws_row = 40, .ws_col = 111 };
  json_t *process =
      json_pack("{s:[s,s,s], s:[s], s:s, s:b}", "args", "sh", "-c",
                "stty size; read x; stty size; tty", "env", "PATH=/bin", "cwd", "/", "terminal", 1);
  char text[512] = "";
  size_t len = 0;
  json_t *reply;
  int master;

  (void)state;
  reply = box_ask(box, "{s:s, s:o}", "op", "exec", "process", process);
  assert_true(json_is_true(json_object_get(reply, "ok")));
  json_decref(reply);
  assert_int_equal(box->n_fds, 1);
  master = box->fds[0];
  box->n_fds = 0;
  assert_true(read(master, text, sizeof(text)) > 0);
  assert_int_equal(ioctl(master, TIOCSWINSZ, &size), 0);
  assert_int_equal(zl_fd_write_full(master, "\n", 1), 0);
  for (ssize_t n; (n = read(master, text + len, sizeof(text) - 1 - len)) > 0; len += (size_t)n)
    continue;
  text[len] = '\0';
  assert_non_null(strstr(text, "40 111"));
  assert_non_null(strstr(text, "/dev/pts/0"));
  (void)close(master);
  json_decref(box_receive(box));
  stop_box(box);
}

static void a_process_outlives_its_client(void **state)
{
  struct box *box = idle_box();
  int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC), second;
  json_t *process = json_pack("{s:[s,s,s], s:[s], s:s}", "args", "sh", "-c",
                              "sleep 0.2; echo x > /done", "env", "PATH=/bin", "cwd", "/");
  char path[192];

  (void)state;
  second = box_connect(box);
  json_decref(box_ask_with(box, (int[]){ null_fd, null_fd, null_fd }, 3,
                           json_pack("{s:s, s:o}", "op", "exec", "process", process)));
  (void)close(null_fd);
  (void)close(box->control);
  box->control = second;
  (void)snprintf(path, sizeof(path), "%s/upper/done", box->dir);
  for (int i = 0; i < 500 && access(path, F_OK) < 0; i++)
    (void)usleep(10000);
  assert_int_equal(access(path, F_OK), 0);
  stop_box(box);
}

/* The process ends; what it left in the background holds the pipe but not the event. */
static void background_children_do_not_delay_the_event(void **state)
{
  struct box *box = idle_box();
  int out[2], null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  json_t *process = json_pack("{s:[s,s,s], s:[s], s:s}", "args", "sh", "-c", "sleep 100 & exit 4",
                              "env", "PATH=/bin", "cwd", "/");
  json_t *reply;

  (void)state;
  assert_int_equal(pipe2(out, O_CLOEXEC), 0);
  json_decref(box_ask_with(box, (int[]){ null_fd, out[1], out[1] }, 3,
                           json_pack("{s:s, s:o}", "op", "exec", "process", process)));
  reply = box_receive(box);
  assert_int_equal(json_integer_value(json_object_get(json_object_get(reply, "exit"), "exit_code")),
                   4);
  json_decref(reply);
  (void)close(null_fd);
  (void)close(out[0]);
  (void)close(out[1]);
  stop_box(box);
}

static unsigned count_fds(pid_t pid)
{
  char path[64];
  unsigned n = 0;
  DIR *dir;

  (void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
  dir = opendir(path);
  assert_non_null(dir);
  while (readdir(dir) != NULL)
    n++;
  (void)closedir(dir);
  return n;
}

static void many_in_a_row(void **state)
{
  struct box *box = idle_box();
  unsigned before;

  (void)state;
  free(box_exec(box, "exit 1", NULL, 1));
  before = count_fds(box->shim.pid);
  for (int i = 0; i < 100; i++)
    free(box_exec(box, "exit 1", NULL, 1));
  assert_int_equal(count_fds(box->shim.pid), before);
  stop_box(box);
}

static void not_before_the_start(void **state)
{
  struct box *box = BOX("sleep", "100");
  json_t *process =
      json_pack("{s:[s], s:[s], s:s}", "args", "true", "env", "PATH=/bin", "cwd", "/");
  json_t *reply;
  int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

  (void)state;
  box_create(box);
  reply = box_ask_with(box, (int[]){ null_fd, null_fd, null_fd }, 3,
                       json_pack("{s:s, s:o}", "op", "exec", "process", process));
  assert_string_equal(json_string_value(json_object_get(reply, "code")), "CONFLICT");
  json_decref(reply);
  (void)close(null_fd);
  stop_box(box);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(exit_codes),
    cmocka_unit_test(separate_streams_and_stdin),
    cmocka_unit_test(users),
    cmocka_unit_test(same_confinement_as_init),
    cmocka_unit_test(failures),
    cmocka_unit_test(terminal_with_resize),
    cmocka_unit_test(a_process_outlives_its_client),
    cmocka_unit_test(background_children_do_not_delay_the_event),
    cmocka_unit_test(many_in_a_row),
    cmocka_unit_test(not_before_the_start),
  };

  return cmocka_run_group_tests(tests, box_group_begin, box_group_end);
}
