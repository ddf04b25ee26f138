/* SPDX-License-Identifier: Apache-2.0
 *
 * The shim of machines against guests that break every promise (fake_qemu.c). Whatever they do, it
 * ends its container, says why, and does not crash, hang or grow.
 */
#include "vm_box.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/time.h"

enum {
  WATCHDOG_S = 110, /* a shim that hangs fails the test */
  QUICK_S = 20,     /* far below every patience, even on a busy host */
  GRACE_MS = 300
};

static int setup(void **state)
{
  (void)state;
  (void)alarm(WATCHDOG_S);
  (void)unsetenv("ZLAYER_FAULTS");
  return 0;
}

static int teardown(void **state)
{
  (void)state;
  (void)alarm(0);
  return 0;
}

/* A guest that is silent is waited for; not for a minute here. */
static void be_hasty(void)
{
  assert_int_equal(setenv("ZLAYER_FAULTS", "shim.vm.hasty=error(EINTR)", 1), 0);
}

static void refused(const char *role, const char *words)
{
  struct box *box = vm_box(role);
  uint64_t began = zl_time_boot();

  print_message("           %s\n", role);
  vm_expect_refused(box, words);
  assert_true(zl_time_boot() - began < QUICK_S * ZL_NS_PER_S);
  vm_free(box);
}

/* ---- Before there is a container ----------------------------------------------------------- */

static void a_broken_monitor_refuses(void **state)
{
  (void)state;
  refused("exit@start", "QEMU has ended");
  refused("qmp-garbage", "QEMU's monitor");
  refused("qmp-line", "longer than 65536 bytes");
}

static void silence_refuses_in_the_end(void **state)
{
  (void)state;
  be_hasty();
  refused("qmp-mute", "does not answer");
  refused("qmp-silent", "does not answer");
  refused("bridge-mute", "booting the virtual machine");
  refused("silent@modify", "");
  refused("drop@create", "");
  refused("silent@create", "");
}

/* ---- The workload's start ------------------------------------------------------------------ */

/* ---- While it runs ------------------------------------------------------------------------- */

/* The answer to the start may be lost with the machine. */
static struct box *running(const char *role)
{
  struct box *box = vm_box(role);

  print_message("           %s\n", role);
  box_create(box);
  json_decref(box_ask(box, "{s:s}", "op", "start"));
  return box;
}

static void fails(const char *role, const char *words)
{
  struct box *box = running(role);

  vm_expect_failed(box, words);
  vm_free(box);
}

static void a_good_guest_is_served(void **state)
{
  struct box *box = running("");
  size_t before;

  (void)state;
  vm_expect_end(box, 137, "oom_killed");
  box_assert_output(box, "hello\n");
  vm_free(box);

  box = running("hold");
  before = vm_memory(box);
  json_decref(box_ask(box, "{s:s, s:i, s:i}", "op", "stop", "signal", SIGTERM, "grace_ms", 60000));
  vm_assert_no_growth(box, before);
  vm_expect_end(box, 143, "signal");
  box_assert_output(box, "hello\n");
  vm_free(box);

  box = running("notifies@create"); /* it may say so before the container was even started */
  vm_expect_end(box, 137, "oom_killed");
  vm_free(box);
}

static void a_machine_that_halts_is_a_failure(void **state)
{
  (void)state;
  fails("hold qmp-stops", "the virtual machine came to a halt (STOP)");
}

static void a_dead_machine_leaves_its_last_words(void **state)
{
  struct box *box = vm_box("hold console-words");
  char path[192], *text;

  (void)state;
  vm_set(box, "keepOnFailure", json_true());
  box_create(box);
  json_decref(box_ask(box, "{s:s}", "op", "start"));
  vm_expect_failed(box, "the virtual machine ");
  text = vm_exit(box, "message");
  assert_non_null(strstr(text, "its console: first words | last? words"));
  free(text);
  (void)snprintf(path, sizeof(path), "%s/console.log", box->dir);
  text = read_text(path);
  assert_string_equal(text, "first words\nlast\x1b words\n");
  free(text);
  assert_int_equal(unlinkat(box->dir_fd, "scratch", 0), 0); /* it was kept, as wished */
  vm_free(box);
}

/* ---- Ends ---------------------------------------------------------------------------------- */

static void stop(struct box *box, int grace_ms)
{
  uint64_t began = zl_time_boot();
  json_t *reply =
      box_ask(box, "{s:s, s:i, s:i}", "op", "stop", "signal", SIGTERM, "grace_ms", grace_ms);

  assert_non_null(reply);
  assert_true(json_is_true(json_object_get(reply, "ok")));
  json_decref(reply);
  assert_true(zl_time_boot() - began < (uint64_t)grace_ms * ZL_NS_PER_MS + QUICK_S * ZL_NS_PER_S);
}

static void a_signal_that_breaks_is_a_failure(void **state)
{
  static const char *const faults[] = { "giant", "small", "garbage", "no-json", "half", "exit" };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(faults); i++) {
    char role[64];
    struct box *box;

    (void)snprintf(role, sizeof(role), "hold %s@signal", faults[i]);
    box = running(role);
    stop(box, 60000);
    vm_expect_failed(box, "");
    vm_free(box);
  }
}

/* ---- Floods -------------------------------------------------------------------------------- */

static void stays_small(const char *role)
{
  struct box *box = running(role);
  size_t before = vm_memory(box);

  for (int i = 0; i < 2000; i++) {
    zl_autofree char *status = vm_state(box, "status");

    assert_string_equal(status, "running");
  }
  vm_assert_no_growth(box, before);
  stop(box, 0);
  vm_expect_end(box, 137, "signal");
  vm_free(box);
}

static void floods_leave_it_small_and_awake(void **state)
{
  (void)state;
  stays_small("hold bridge-notifies");
  stays_small("hold qmp-events");
  stays_small("hold console-flood");
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
  stop(box, GRACE_MS);
  box_end(box);
  vm_free(box);
}

/* ---- Templates ----------------------------------------------------------------------------- */

/* Creates it; what is said of the template must have these words (NULL: nothing is said). */
static void expect_start(struct box *box, const char *tier, const char *words)
{
  json_t *reply = box_launch(box);
  const char *warning = json_string_value(json_object_get(reply, "warning"));
  zl_autofree char *got = NULL;

  assert_non_null(reply);
  assert_true(json_is_true(json_object_get(reply, "ok")));
  box->pid = (int)json_integer_value(json_object_get(reply, "pid"));
  if (words == NULL)
    assert_null(warning);
  else if (warning == NULL || strstr(warning, words) == NULL)
    fail_msg("'%s' is not in the warning '%s'", words, warning != NULL ? warning : "");
  json_decref(reply);
  got = vm_state(box, "tier");
  assert_string_equal(got, tier);
  box_do(box, json_pack("{s:s}", "op", "start"));
  vm_expect_end(box, 137, "oom_killed");
}

static void a_template_is_cloned(void **state)
{
  struct box *box = vm_box("");
  zl_autofd template = vm_template(box);

  (void)state;
  expect_start(box, "clone", NULL);
  assert_int_equal(faccessat(template, "template.json", F_OK, 0), 0);
  vm_free(box);
}

static void falls_back(const char *role, const char *words)
{
  struct box *box = vm_box(role);
  zl_autofd template = vm_template(box);

  print_message("           %s\n", role);
  expect_start(box, "boot", words);
  assert_true(faccessat(template, "template.json", F_OK, 0) < 0); /* it is set aside */
  vm_free(box);
}

static void a_template_that_does_not_work_is_set_aside(void **state)
{
  (void)state;
  falls_back("clone:qmp-no-load", "loading the machine");
  falls_back("clone:exit@start", "QEMU has ended");
  falls_back("clone:exit@negotiate", "hung up");
  falls_back("clone:bridge-garbage", "cloning template");
  be_hasty();
  falls_back("clone:bridge-mute", "cloning template");
  falls_back("clone:qmp-silent", "does not answer");
}

static void damaged(const char *name, off_t size)
{
  struct box *box = vm_box("");
  zl_autofd template = vm_template(box);
  zl_autofd file = openat(template, name, O_RDWR | O_CLOEXEC);
  char words[32];

  assert_true(file >= 0);
  if (size < 0)
    assert_int_equal(unlinkat(template, name, 0), 0);
  else if (size > 0)
    assert_int_equal(ftruncate(file, size), 0);
  else
    assert_int_equal(pwrite(file, "X", 1, 3), 1); /* neither size nor name tell of it */
  (void)snprintf(words, sizeof(words), "'%s'", name);
  expect_start(box, "boot", words);
  vm_free(box);
}

static void a_damaged_template_is_set_aside(void **state)
{
  static const char *const names[] = { "memory", "state", "scratch" };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(names); i++) {
    damaged(names[i], -1);
    damaged(names[i], 7);
    damaged(names[i], 0);
  }
}

static void a_template_that_is_gone_is_no_news(void **state)
{
  struct box *box = vm_box("");

  (void)state;
  vm_set(box, "template", json_sprintf("%s/" VM_TEMPLATE, box->dir));
  expect_start(box, "boot", NULL);
  vm_free(box);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
  const struct CMUnitTest tests[] = {
    CASE(a_good_guest_is_served),
    CASE(a_broken_monitor_refuses),
    CASE(silence_refuses_in_the_end),
    CASE(a_machine_that_halts_is_a_failure),
    CASE(a_dead_machine_leaves_its_last_words),
    CASE(a_signal_that_breaks_is_a_failure),
    CASE(floods_leave_it_small_and_awake),
    CASE(output_without_end_fills_the_log_only),
    CASE(a_template_is_cloned),
    CASE(a_template_that_does_not_work_is_set_aside),
    CASE(a_damaged_template_is_set_aside),
    CASE(a_template_that_is_gone_is_no_news),
  };

  return cmocka_run_group_tests(tests, vm_group_begin, box_group_end);
}
