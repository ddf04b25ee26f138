/* SPDX-License-Identifier: Apache-2.0
 *
 * What only src/base/linux promises.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/proc.h"
#include "scratch.h"

/* Each case works in its own directory, which must be removable at the end. */
static int box_new(void **state)
{
  static struct scratch box;

  scratch_make(&box, "/tmp", "base");
  *state = &box;
  return 0;
}

static int box_free(void **state)
{
  scratch_remove(*state);
  return 0;
}

static void paths_stay_in_their_root(void **state)
{
  struct scratch *box = *state;
  zl_autofd root = -1, fd = -1;

  assert_int_equal(mkdirat(box->fd, "root", 0755), 0);
  assert_int_equal(symlinkat("../outside", box->fd, "root/rel"), 0);
  assert_int_equal(symlinkat("/outside", box->fd, "root/abs"), 0);
  assert_int_equal(symlinkat("/proc/self/root", box->fd, "root/magic"), 0);
  root = openat(box->fd, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  fd = zl_path_mkdirs_in_root(root, "rel/../abs/a/../b", 0755);
  assert_true(fd >= 0); /* what a dangling link names is made, inside */
  (void)close(fd);
  assert_int_equal(faccessat(box->fd, "root/outside/b", F_OK, 0), 0);
  assert_int_equal(faccessat(box->fd, "outside", F_OK, 0), -1);
  assert_int_equal(symlinkat("loop2", box->fd, "root/loop1"), 0);
  assert_int_equal(symlinkat("loop1", box->fd, "root/loop2"), 0);
  assert_int_equal(zl_path_mkdirs_in_root(root, "loop1/a", 0755), -ELOOP);
  assert_int_equal(symlinkat("../../../../hop", box->fd, "root/outside/far"), 0);
  fd = zl_path_mkdirs_in_root(root, "abs/far/below", 0755);
  assert_true(fd >= 0);
  (void)close(fd);
  assert_int_equal(faccessat(box->fd, "root/hop/below", F_OK, 0), 0);
  assert_int_equal(faccessat(box->fd, "hop", F_OK, 0), -1);
  fd = zl_path_mkdirs_in_root(root, "/outside/a", 0755);
  assert_true(fd >= 0);
  (void)close(fd);
  fd = zl_path_mkdirs_in_root(root, "abs/b/../../c", 0755);
  assert_true(fd >= 0);
  assert_int_equal(faccessat(box->fd, "root/outside/b", F_OK, 0), 0);
  assert_int_equal(faccessat(box->fd, "outside", F_OK, 0), -1);
  (void)close(fd);
  fd = zl_path_touch_in_root(root, "rel/file", 0644);
  assert_true(fd >= 0);
  assert_int_equal(faccessat(box->fd, "root/outside/file", F_OK, 0), 0);
  (void)close(fd);
  assert_int_equal(symlinkat("nowhere", box->fd, "root/dangling"), 0);
  fd = zl_path_touch_in_root(root, "dangling", 0644);
  assert_true(fd >= 0);
  assert_int_equal(faccessat(box->fd, "root/nowhere", F_OK, 0), 0);
  (void)close(fd);
  assert_int_equal(symlinkat("../../../hop/deep/file", box->fd, "root/outside/up"), 0);
  fd = zl_path_touch_in_root(root, "abs/up", 0644);
  assert_true(fd >= 0);
  assert_int_equal(faccessat(box->fd, "root/hop/deep/file", F_OK, 0), 0);
  assert_int_equal(faccessat(box->fd, "hop", F_OK, 0), -1);
  (void)close(fd);
  assert_int_equal(zl_path_touch_in_root(root, "loop1", 0644), -ELOOP);
}

static void very_deep_trees_are_removed_with_few_descriptors(void **state)
{
  struct scratch *box = *state;
  int dir = zl_fd_copy(box->fd);
  struct rlimit old, few;

  for (int i = 0; i < 3000; i++) {
    int next;

    assert_int_equal(mkdirat(dir, "deeper", 0755), 0);
    next = openat(dir, "deeper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(next >= 0);
    (void)close(dir);
    dir = next;
  }
  (void)close(dir);
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
  few = (struct rlimit){ .rlim_cur = 100, .rlim_max = old.rlim_max };
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
  assert_int_equal(zl_path_remove_tree(box->fd, "deeper"), 0);
  assert_int_equal(zl_path_remove_tree(box->fd, "deeper"), 0);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
}

static void children_report_exec_failure(void **state)
{
  static const char *const argv[] = { "x", "-c", "exit 3", NULL };
  struct zl_proc_options opt = { .path = "/nonexistent", .exec_fd = -1, .argv = argv };
  struct zl_proc proc = { .pidfd = -1 };
  struct zl_error err = { 0 };
  int status;

  (void)state;
  assert_int_equal(zl_proc_spawn(&opt, &proc, &err), -ZL_E_NO_COMMAND);
  opt.path = "/etc/passwd";
  assert_int_equal(zl_proc_spawn(&opt, &proc, &err), -ZL_E_NOT_EXECUTABLE);
  opt.path = "/bin/sh";
  assert_int_equal(zl_proc_spawn(&opt, &proc, &err), 0);
  assert_int_equal(zl_proc_wait(&proc, &status, &err), 0);
  assert_int_equal(WEXITSTATUS(status), 3);
}

static void children_get_only_their_descriptors(void **state)
{
  static const char *const argv[] = { "sh", "-c", "ls /proc/self/fd | tr '\\n' ' '; cat <&5",
                                      NULL };
  static const char *const env[] = { "PATH=/usr/bin:/bin", NULL };
  int out[2], in[2];
  struct zl_proc_fd fds[2];
  struct zl_proc_options opt = {
    .path = "/bin/sh", .exec_fd = -1, .argv = argv, .envp = env, .fds = fds, .n_fds = 2
  };
  struct zl_proc proc;
  char text[64] = "";
  int status;

  (void)state;
  assert_int_equal(zl_fd_pipe(out, NULL), 0);
  assert_int_equal(zl_fd_pipe(in, NULL), 0);
  fds[0] = (struct zl_proc_fd){ .from = out[1], .to = 1 };
  fds[1] = (struct zl_proc_fd){ .from = in[0], .to = 5 };
  assert_int_equal(zl_proc_spawn(&opt, &proc, NULL), 0);
  (void)close(out[1]);
  assert_int_equal(write(in[1], "hi", 2), 2);
  (void)close(in[1]);
  (void)close(in[0]);
  assert_true(zl_fd_read_full(out[0], text, sizeof(text) - 1) > 0);
  (void)close(out[0]);
  assert_int_equal(zl_proc_wait(&proc, &status, NULL), 0);
  assert_string_equal(text, "0 1 2 3 5 hi"); /* 3 is ls's own */
}

/* The kernel lets the parent go on before exec has closed anything. */
static void children_hold_no_lock_that_was_given_back(void **state)
{
  static const char *const argv[] = { "true", NULL };
  const struct scratch *box = *state;
  const struct zl_proc_options opt = {
    .path = "/bin/true", .exec_fd = -1, .argv = argv, .detached = true
  };

  for (int i = 0; i < 100; i++) {
    int held = zl_fd_open(box->fd, "lock", O_RDWR | O_CREAT, 0600), other;
    struct zl_proc proc;

    assert_true(held >= 0);
    assert_int_equal(flock(held, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(zl_proc_spawn(&opt, &proc, NULL), 0);
    (void)close(held);
    other = zl_fd_open(box->fd, "lock", O_RDWR, 0);
    assert_int_equal(flock(other, LOCK_EX | LOCK_NB), 0);
    (void)close(other);
    (void)close(proc.pidfd);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(paths_stay_in_their_root, box_new, box_free),
    cmocka_unit_test_setup_teardown(very_deep_trees_are_removed_with_few_descriptors, box_new,
                                    box_free),
    cmocka_unit_test(children_report_exec_failure),
    cmocka_unit_test(children_get_only_their_descriptors),
    cmocka_unit_test_setup_teardown(children_hold_no_lock_that_was_given_back, box_new, box_free),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
