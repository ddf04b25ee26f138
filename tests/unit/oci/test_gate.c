/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "engine/gate.h"
#include "engine/sync.h"

#define NAME "gate"

static char top[] = "/tmp/zl-oci-gate-XXXXXX";
static int dir_fd, proc_fd;

/* What a process at the gate does when it is let through. */
enum end {
  EXECUTES,
  REPORTS,
  BREAKS_OFF,
  DIES_BEFORE
};

static pid_t at_gate(int gate, enum end end, int *ret_pidfd)
{
  pid_t pid = fork();

  if (pid == 0) {
    const struct zl_error failure = { .code = ZL_E_NO_COMMAND, .msg = "no such program" };
    int fd = -1;

    (void)alarm(30);
    if (end == DIES_BEFORE)
      _exit(3);
    if (zl_gate_wait(gate, proc_fd, &fd, NULL) < 0)
      _exit(4);
    if (end == REPORTS)
      zl_gate_report(fd, &failure);
    else if (end == BREAKS_OFF)
      (void)zl_fd_write_full(fd, "half", 4);
    _exit(0); /* closes it, as an exec does */
  }
  *ret_pidfd = pidfd_open(pid, 0);
  return pid;
}

static int pass(enum end end, struct zl_error *err)
{
  zl_autofd gate = -1, pidfd = -1;
  int own = -1, r;
  pid_t pid;

  assert_int_equal(zl_gate_make(dir_fd, NAME, &own, err), 0);
  gate = own;
  pid = at_gate(gate, end, &own);
  pidfd = own;
  assert_true(pid > 0 && pidfd >= 0);
  r = zl_gate_open(dir_fd, NAME, pidfd, err);
  (void)kill(pid, SIGKILL);
  assert_int_equal(waitpid(pid, NULL, 0), pid);
  return r;
}

static void lets_through(void **state)
{
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(pass(EXECUTES, &err), 0);
  assert_int_equal(faccessat(dir_fd, NAME, F_OK, 0), -1); /* once only */
  assert_int_equal(zl_gate_open(dir_fd, NAME, -1, &err), -ZL_E_NOT_FOUND);
}

static void carries_the_failure(void **state)
{
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(pass(REPORTS, &err), -ZL_E_NO_COMMAND);
  assert_string_equal(err.msg, "no such program");
}

static void half_a_report_is_a_failure(void **state)
{
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(pass(BREAKS_OFF, &err), -ZL_E_SYSTEM);
}

static void a_dead_process_is_told(void **state)
{
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(pass(DIES_BEFORE, &err), -ZL_E_CONFLICT);
  assert_int_equal(unlinkat(dir_fd, NAME, 0), 0); /* nobody was let through */
}

static void is_a_fifo_for_its_owner_to_read(void **state)
{
  struct zl_error err = { 0 };
  struct stat st;
  int gate = -1;

  (void)state;
  assert_int_equal(zl_gate_make(dir_fd, NAME, &gate, &err), 0);
  assert_int_equal(fstatat(dir_fd, NAME, &st, AT_SYMLINK_NOFOLLOW), 0);
  assert_true(S_ISFIFO(st.st_mode));
  assert_int_equal(st.st_mode & 0777, 0622);
  (void)close(gate);
  assert_int_equal(zl_gate_make(dir_fd, NAME, &gate, &err), -ZL_E_SYSTEM); /* there is one */
  assert_int_equal(unlinkat(dir_fd, NAME, 0), 0);
}

/* A child that ends with messages unread: the kernel answers with a reset before it hands out what
 * the child has said. */
static void a_last_word_is_heard(void **state)
{
  const struct zl_error failure = { .code = ZL_E_INVALID, .msg = "the reason" };
  struct zl_error err = { 0 };
  int ends[2];

  (void)state;
  assert_int_equal(zl_sync_pair(ends, &err), 0);
  assert_int_equal(zl_sync_send(ends[0], ZL_BARRIER_JOINED, 0, NULL, 0, &err), 0);
  zl_sync_send_error(ends[1], &failure);
  (void)close(ends[1]);
  assert_int_equal(zl_sync_expect(ends[0], ZL_BARRIER_READY, NULL, NULL, NULL, &err),
                   -ZL_E_INVALID);
  assert_string_equal(err.msg, "the reason");
  assert_int_equal(zl_sync_expect(ends[0], ZL_BARRIER_READY, NULL, NULL, NULL, &err), -ZL_E_SYSTEM);
  (void)close(ends[0]);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(lets_through),
    cmocka_unit_test(carries_the_failure),
    cmocka_unit_test(half_a_report_is_a_failure),
    cmocka_unit_test(a_dead_process_is_told),
    cmocka_unit_test(is_a_fifo_for_its_owner_to_read),
    cmocka_unit_test(a_last_word_is_heard),
  };
  int r;

  if (mkdtemp(top) == NULL)
    return 1;
  dir_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  r = cmocka_run_group_tests_name("oci-gate", tests, NULL, NULL);
  return rmdir(top) < 0 ? 1 : r;
}
