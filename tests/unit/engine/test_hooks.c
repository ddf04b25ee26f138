/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/strv.h"
#include "base/time.h"
#include "engine/hooks.h"

static char dir[] = "/tmp/zlt-hooks-XXXXXX";
static char *no_strings[] = { NULL };

static int make_dir(void **state)
{
  (void)state;
  return mkdtemp(dir) != NULL ? 0 : -1;
}

static int remove_dir(void **state)
{
  (void)state;
  return zl_path_remove_tree(AT_FDCWD, dir);
}

static void content(const char *name, struct zl_buf *buf)
{
  zl_autofree char *path = zl_asprintf("%s/%s", dir, name);
  struct zl_error err = { 0 };

  zl_buf_clear(buf);
  if (zl_file_read(AT_FDCWD, path, buf, &err) < 0)
    fail_msg("%s", err.msg);
  if (buf->data == NULL)
    assert_int_equal(zl_buf_puts(buf, "", &err), 0);
}

#define TEXT(text) ((char[]){ text })

/* A shell script as a hook: $0 is the test's directory, $1 "two". */
#define SCRIPT(name, text)                                                                 \
  char *name##_args[] = { TEXT("hook"), TEXT("-ec"), TEXT(text), dir, TEXT("two"), NULL }; \
  char *name##_env[] = { TEXT("A=1"), TEXT("B=x y"), TEXT("PATH=/usr/bin:/bin"), NULL };   \
  struct zl_hook name = { .path = "/bin/sh", .args = name##_args, .env = name##_env }

static void a_hook_gets_state_arguments_and_environment(void **state)
{
  SCRIPT(hook, "cat >\"$0/state\"; echo \"$1 $A $B ${HOME-none}\" >\"$0/words\"");
  const struct zl_hook_list list = { &hook, 1 };
  zl_autobuf text = ZL_BUF_INIT(4096);
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(setenv("HOME", "/root", 1), 0);
  if (zl_hooks_run(ZL_HOOK_CREATE_RUNTIME, &list, "{\"id\":\"a\"}", 10, &err) < 0)
    fail_msg("%s", err.msg);
  content("state", &text);
  assert_string_equal(text.data, "{\"id\":\"a\"}");
  content("words", &text);
  assert_string_equal(text.data, "two 1 x y none\n");
}

static void a_state_larger_than_a_pipe(void **state)
{
  SCRIPT(reader, "wc -c >\"$0/size\"");
  SCRIPT(lazy, "exit 0");
  const struct zl_hook hooks[] = { lazy, reader };
  const struct zl_hook_list list = { hooks, 2 };
  const size_t len = 300000;
  zl_autofree char *large = malloc(len);
  zl_autobuf text = ZL_BUF_INIT(4096);
  struct zl_error err = { 0 };

  (void)state;
  assert_non_null(large);
  memset(large, 'x', len);
  assert_int_equal(zl_hooks_run(ZL_HOOK_POSTSTART, &list, large, len, &err), 0);
  content("size", &text);
  assert_string_equal(text.data, "300000\n");
}

static void without_arguments_the_path_is_the_name(void **state)
{
  const struct zl_hook hook = { .path = "/bin/true", .args = no_strings, .env = no_strings };
  const struct zl_hook_list list = { &hook, 1 };
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(zl_hooks_run(ZL_HOOK_PRESTART, &list, "{}", 2, &err), 0);
}

static void a_failure_is_named_and_ends_the_phase(void **state)
{
  SCRIPT(bad, "echo first >&2; echo second >&2; exit 3");
  SCRIPT(killed, "kill -9 $$");
  SCRIPT(next, ": >\"$0/next\"");
  const struct zl_hook hooks[] = { next, bad, next };
  const struct zl_hook_list list = { hooks, 3 }, only = { &killed, 1 };
  zl_autofree char *path = zl_asprintf("%s/next", dir);
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(zl_hooks_run(ZL_HOOK_CREATE_RUNTIME, &list, "{}", 2, &err), -ZL_E_SYSTEM);
  assert_string_equal(
      err.msg, "error running hook: createRuntime hook failed with exit code 3: first second "
               "(hooks.createRuntime[1], '/bin/sh')");
  assert_int_equal(unlink(path), 0);
  assert_int_equal(zl_hooks_run(ZL_HOOK_PRESTART, &only, "{}", 2, &err), -ZL_E_SYSTEM);
  assert_string_equal(
      err.msg,
      "error running hook: prestart hook failed: signal: killed (hooks.prestart[0], '/bin/sh')");
}

static void a_hook_that_cannot_be_executed(void **state)
{
  const struct zl_hook hook = { .path = "/nowhere", .args = no_strings, .env = no_strings };
  const struct zl_hook_list list = { &hook, 1 };
  struct zl_error err = { 0 };

  (void)state;
  /* Not NO_COMMAND: that is about the container's program. */
  assert_int_equal(zl_hooks_run(ZL_HOOK_START_CONTAINER, &list, "{}", 2, &err), -ZL_E_SYSTEM);
  assert_string_equal(
      err.msg,
      "error running hook: startContainer hook cannot be executed: No such file or directory "
      "(hooks.startContainer[0], '/nowhere')");
}

static void long_complaints_are_cut(void **state)
{
  SCRIPT(bad, "head -c 200000 /dev/zero | tr '\\0' 'e' >&2; exit 1");
  const struct zl_hook_list list = { &bad, 1 };
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(zl_hooks_run(ZL_HOOK_PRESTART, &list, "{}", 2, &err), -ZL_E_SYSTEM);
  assert_true(zl_has_prefix(err.msg,
                            "error running hook: prestart hook failed with exit code 1: eeeeeeee"));
}

static void poststop_goes_on(void **state)
{
  SCRIPT(bad, "exit 1");
  SCRIPT(next, ": >\"$0/stopped\"");
  const struct zl_hook hooks[] = { bad, next };
  const struct zl_hook_list list = { hooks, 2 };
  zl_autobuf text = ZL_BUF_INIT(4096);
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(zl_hooks_run(ZL_HOOK_POSTSTOP, &list, "{}", 2, &err), 0);
  content("stopped", &text);
}

static void a_timeout_kills_the_group(void **state)
{
  SCRIPT(slow, "sleep 1000 & echo $! >\"$0/pid\"; wait");
  const struct zl_hook_list list = { &slow, 1 };
  zl_autobuf text = ZL_BUF_INIT(4096);
  struct zl_error err = { 0 };
  uint64_t begin = zl_time_boot();
  pid_t pid;

  (void)state;
  slow.timeout_s = 1;
  assert_int_equal(zl_hooks_run(ZL_HOOK_PRESTART, &list, "{}", 2, &err), -ZL_E_TIMEOUT);
  assert_string_equal(err.msg, "error running hook: prestart hook has not ended within 1 s "
                               "(hooks.prestart[0], '/bin/sh')");
  assert_true(zl_time_boot() - begin >= ZL_NS_PER_S);
  content("pid", &text);
  pid = (pid_t)strtol(text.data, NULL, 10);
  assert_true(pid > 1);
  /* Killed with the group; who reaps it is init, in its own time. */
  for (int i = 0; i < 2000 && kill(pid, 0) == 0; i++) {
    zl_autofree char *path = zl_asprintf("/proc/%d/stat", (int)pid);
    zl_autobuf stat = ZL_BUF_INIT(4096);

    if (zl_file_read(AT_FDCWD, path, &stat, &err) == 0 && strstr(stat.data, ") Z ") != NULL)
      return;
    (void)usleep(1000); /* checkstyle: allow usleep (another process's death) */
  }
  assert_int_equal(kill(pid, 0), -1);
}

/* A process that a hook leaves behind with its standard error open is not waited for. */
static void what_a_hook_leaves_behind_does_not_delay(void **state)
{
  SCRIPT(leaver, "sleep 3 >&2 & exit 0");
  const struct zl_hook_list list = { &leaver, 1 };
  struct zl_error err = { 0 };
  uint64_t begin = zl_time_boot();

  (void)state;
  assert_int_equal(zl_hooks_run(ZL_HOOK_PRESTART, &list, "{}", 2, &err), 0);
  assert_true(zl_time_boot() - begin < 3 * ZL_NS_PER_S);
}

static void the_phase_of_a_document(void **state)
{
  SCRIPT(hook, "cat >\"$0/phase\"");
  struct zl_engine_config config = { .hooks = { [ZL_HOOK_POSTSTART] = { &hook, 1 } } };
  zl_autobuf text = ZL_BUF_INIT(4096);
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(zl_hooks_run_phase(&config, ZL_HOOK_PRESTART, NULL, "x", 1, &err), 0);
  assert_int_equal(zl_hooks_run_phase(&config, ZL_HOOK_POSTSTART, NULL, "x", 1, &err),
                   -ZL_E_UNSUPPORTED);
  assert_int_equal(zl_hooks_run_phase(&config, ZL_HOOK_POSTSTART, "[]", "x", 1, &err),
                   -ZL_E_INVALID);
  assert_int_equal(zl_hooks_run_phase(&config, ZL_HOOK_POSTSTART, "{\"id\":\"a\",\"status\":\"b\"}",
                                      "running", 7, &err),
                   0);
  content("phase", &text);
  assert_string_equal(text.data, "{\"id\":\"a\",\"status\":\"running\",\"pid\":7}");
  assert_false(zl_hooks_see_mounts(&config));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_hook_gets_state_arguments_and_environment),
    cmocka_unit_test(a_state_larger_than_a_pipe),
    cmocka_unit_test(without_arguments_the_path_is_the_name),
    cmocka_unit_test(a_failure_is_named_and_ends_the_phase),
    cmocka_unit_test(a_hook_that_cannot_be_executed),
    cmocka_unit_test(long_complaints_are_cut),
    cmocka_unit_test(poststop_goes_on),
    cmocka_unit_test(a_timeout_kills_the_group),
    cmocka_unit_test(what_a_hook_leaves_behind_does_not_delay),
    cmocka_unit_test(the_phase_of_a_document),
  };

  return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
