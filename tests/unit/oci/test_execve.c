/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "engine/execve.h"

static char top[] = "/tmp/zl-oci-execve-XXXXXX";
static char path_variable[128];
static int top_fd;

static int check(const char *name, const char *path)
{
  char *args[] = { (char *)(uintptr_t)name, NULL };
  char *env[] = { (char *)(uintptr_t)(path != NULL ? path : "X=1"), NULL };

  return zl_execve_check(args, env, top_fd, NULL);
}

/* What really executing it answers: 0, or the code. */
static int execute(const char *name, const char *path)
{
  char *args[] = { (char *)(uintptr_t)name, NULL };
  char *env[] = { (char *)(uintptr_t)(path != NULL ? path : "X=1"), NULL };
  int status = 0;
  pid_t pid = fork();

  if (pid == 0) {
    int r = fchdir(top_fd) < 0 ? -1 : zl_execve(args, env, NULL);

    _exit(100 - r);
  }
  assert_int_equal(waitpid(pid, &status, 0), pid);
  return WEXITSTATUS(status) >= 100 ? 100 - WEXITSTATUS(status) : 0;
}

static void write_file(const char *name, const char *text, mode_t mode)
{
  int fd = openat(top_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

  assert_true(fd >= 0);
  assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
  assert_int_equal(fchmod(fd, mode), 0);
  (void)close(fd);
}

static void says_what_exec_says(void **state)
{
  static const struct {
    const char *name;
    int expected;
  } cases[] = {
    { "good", 0 },
    { "./good", 0 },
    { "dir/good", 0 },
    { "/bin/sh", 0 },
    { "missing", -ZL_E_NO_COMMAND },
    { "./missing", -ZL_E_NO_COMMAND },
    { "/no/such", -ZL_E_NO_COMMAND },
    { "good/below", -ZL_E_NO_COMMAND },
    { "", -ZL_E_NO_COMMAND },
    { "plain", -ZL_E_NOT_EXECUTABLE },
    { "./plain", -ZL_E_NOT_EXECUTABLE },
    { "./dir", -ZL_E_NOT_EXECUTABLE },
    { "dangling", -ZL_E_NO_COMMAND },
    { "./loop", -ZL_E_NOT_EXECUTABLE },
    { "dir", -ZL_E_NO_COMMAND }, /* of a search: directories are passed over */
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    int found = check(cases[i].name, path_variable), real = execute(cases[i].name, path_variable);

    if (found != cases[i].expected || real != cases[i].expected)
      print_message("'%s': check %d, exec %d\n", cases[i].name, found, real);
    assert_int_equal(found, cases[i].expected);
    assert_int_equal(real, cases[i].expected);
  }
}

static void searches_the_path(void **state)
{
  char two[160];

  (void)state;
  assert_int_equal(check("sh", NULL), 0); /* a usual path */
  assert_int_equal(check("sh", "PATH=/nowhere:/bin"), 0);
  assert_int_equal(check("sh", "PATH=/nowhere"), -ZL_E_NO_COMMAND);
  assert_int_equal(check("sh", "PATH="), -ZL_E_NO_COMMAND);
  assert_int_equal(check("good", "PATH="), 0); /* an empty part is the working directory */
  assert_int_equal(check("good", "PATH=/nowhere:"), 0);
  (void)snprintf(two, sizeof(two), "PATH=%s:%s/dir", top, top);
  assert_int_equal(check("plain", two), 0); /* the first one cannot be executed, the second can */
}

static void names_the_command(void **state)
{
  char *args[] = { (char *)(uintptr_t) "nothing-here", NULL }, *env[] = { NULL };
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(zl_execve_check(args, env, top_fd, &err), -ZL_E_NO_COMMAND);
  assert_non_null(strstr(err.msg, "nothing-here"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(says_what_exec_says),
    cmocka_unit_test(searches_the_path),
    cmocka_unit_test(names_the_command),
  };
  static const char *const files[] = {
    "good", "plain", "dangling", "loop", "dir/good", "dir/plain"
  };
  int r;

  if (mkdtemp(top) == NULL)
    return 1;
  top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (top_fd < 0 || mkdirat(top_fd, "dir", 0755) < 0 ||
      symlinkat("nowhere", top_fd, "dangling") < 0 || symlinkat("loop", top_fd, "loop") < 0)
    return 1;
  (void)snprintf(path_variable, sizeof(path_variable), "PATH=%s", top);
  write_file("good", "#!/bin/sh\nexit 0\n", 0755);
  write_file("plain", "#!/bin/sh\nexit 0\n", 0644);
  write_file("dir/good", "#!/bin/sh\nexit 0\n", 0755);
  write_file("dir/plain", "#!/bin/sh\nexit 0\n", 0755);
  r = cmocka_run_group_tests_name("oci-execve", tests, NULL, NULL);
  for (size_t i = 0; i < ZL_COUNT(files); i++)
    (void)unlinkat(top_fd, files[i], 0);
  (void)unlinkat(top_fd, "dir", AT_REMOVEDIR);
  return rmdir(top) < 0 ? 1 : r;
}
