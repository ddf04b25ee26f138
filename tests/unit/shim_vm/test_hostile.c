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
  GRACE_MS = 300
};

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

static void a_broken_bridge_refuses(void **state)
{
  static const char *const faults[] = { "giant", "small",    "garbage", "no-json",
                                        "half",  "wrong-id", "exit" };
  static const char *const stages[] = { "modify", "create" };

  (void)state;
  refused("exit@negotiate", "the virtual machine ended unexpectedly");
  refused("bridge-garbage", "booting the virtual machine: guest bridge: a frame of");
  refused("version@negotiate", "the guest speaks version 5 of the protocol, not 4");
  for (size_t i = 0; i < ZL_COUNT(faults); i++)
    for (size_t k = 0; k < ZL_COUNT(stages); k++) {
      char role[64];

      (void)snprintf(role, sizeof(role), "%s@%s", faults[i], stages[k]);
      refused(role, strcmp(faults[i], "exit") == 0 ? "the virtual machine ended unexpectedly"
                                                   : "guest bridge: ");
    }
}

static void silence_refuses_in_the_end(void **state)
{
  (void)state;
  vm_be_hasty("monitor=error(EINTR)");
  refused("qmp-mute", "QEMU's monitor does not answer");
  refused("qmp-silent", "QEMU's monitor does not answer");
  vm_be_hasty("boot=error(EINTR)");
  refused("bridge-mute", "the guest did not answer NegotiateProtocol in time");
  vm_be_hasty("guest=error(EINTR)");
  refused("silent@modify", "in time");
  refused("drop@create", "in time");
  refused("silent@create", "in time");
}

static void the_last_words_are_told(void **state)
{
  struct box *box = vm_box("console-flood bridge-garbage");

  (void)state;
  vm_expect_refused(box, "its console: ");
  vm_free(box);
}

/* ---- The workload's start ------------------------------------------------------------------ */

static void start_fails(const char *role, const char *words)
{
  struct box *box = vm_box(role);
  zl_autofree char *message = NULL;
  json_t *reply;

  print_message("           %s\n", role);
  box_create(box);
  reply = box_ask(box, "{s:s}", "op", "start");
  assert_non_null(reply);
  assert_true(json_is_false(json_object_get(reply, "ok")));
  vm_expect_failed(box, json_string_value(json_object_get(reply, "message"))); /* the same reason */
  json_decref(reply);
  message = vm_exit(box, "message");
  if (strncmp(message, "the virtual machine ", 20) != 0 || strstr(message, words) == NULL)
    fail_msg("'%s' is not in '%s'", words, message);
  vm_free(box);
}

static void a_start_that_breaks_is_a_failure(void **state)
{
  static const char *const faults[] = { "giant", "small",    "garbage", "no-json",
                                        "half",  "wrong-id", "exit" };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(faults); i++) {
    char role[64];

    (void)snprintf(role, sizeof(role), "%s@execute", faults[i]);
    start_fails(role, strcmp(faults[i], "exit") == 0 ? "ended unexpectedly" : "guest bridge: ");
  }
  vm_be_hasty("execute=error(EINTR)");
  start_fails("silent@execute", "did not answer ExecuteProcess in time");
}

/* ---- While it runs ------------------------------------------------------------------------- */

static void fails(const char *role, const char *words)
{
  struct box *box = vm_running(role);

  vm_expect_failed(box, words);
  vm_free(box);
}

static void a_good_guest_is_served(void **state)
{
  struct box *box = vm_running("");

  (void)state;
  vm_expect_end(box, 137, "oom_killed");
  box_assert_output(box, "hello\n");
  vm_free(box);

  box = vm_running("hold");
  json_decref(box_ask(box, "{s:s, s:i, s:i}", "op", "stop", "signal", SIGTERM, "grace_ms", 60000));
  vm_expect_end(box, 143, "signal");
  box_assert_output(box, "hello\n");
  vm_free(box);

  box = vm_running("notifies@create"); /* it may say so before the container was even started */
  vm_expect_end(box, 137, "oom_killed");
  vm_free(box);
}

static void a_bridge_that_breaks_is_a_failure(void **state)
{
  static const char *const faults[] = { "giant", "small",    "garbage", "no-json",
                                        "half",  "wrong-id", "exit" };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(faults); i++) {
    char role[64];

    (void)snprintf(role, sizeof(role), "%s@wait", faults[i]);
    fails(role, strcmp(faults[i], "exit") == 0 ? "the virtual machine ended unexpectedly"
                                               : "the virtual machine failed: guest bridge: ");
  }
  fails("hold bridge-answers", "not under way");
  fails("hold bridge-hangs-up", "the guest has hung up");
}

static void streams_that_break_are_a_failure(void **state)
{
  (void)state;
  fails("hold streams-port", "which is not open");
  fails("hold streams-garbage", "the virtual machine failed: streams of the guest: ");
  fails("hold streams-giant", "the virtual machine failed: streams of the guest: ");
  fails("hold streams-small", "the virtual machine failed: streams of the guest: ");
  fails("hold streams-half", "the guest has hung up");
  fails("hold streams-never streams-credit", "beyond its window");
}

static void a_machine_that_halts_is_a_failure(void **state)
{
  (void)state;
  fails("hold qmp-stops", "the virtual machine failed: it came to a halt (STOP)");
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

static void deafness_ends_with_the_grace(void **state)
{
  static const char *const roles[] = { "deaf", "hold drop@signal", "hold silent@signal" };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(roles); i++) {
    struct box *box = vm_running(roles[i]);

    vm_stop(box, GRACE_MS);
    vm_expect_end(box, 137, "signal");
    vm_free(box);
  }
}

static void a_signal_that_breaks_is_a_failure(void **state)
{
  static const char *const faults[] = { "giant", "small", "garbage", "no-json", "half", "exit" };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(faults); i++) {
    char role[64];
    struct box *box;

    (void)snprintf(role, sizeof(role), "hold %s@signal", faults[i]);
    box = vm_running(role);
    vm_stop(box, 60000);
    vm_expect_failed(box, "");
    vm_free(box);
  }
}

static void a_signal_without_an_answer_is_a_failure(void **state)
{
  struct box *box;

  (void)state;
  vm_be_hasty("control=error(EINTR)");
  box = vm_running("hold silent@signal");
  box_do(box, json_pack("{s:s, s:i}", "op", "kill", "signal", SIGUSR1));
  vm_expect_failed(box, "");
  vm_free(box);
}

static void kill_is_immediate(void **state)
{
  static const char *const roles[] = { "deaf",
                                       "hold silent@signal",
                                       "hold bridge-notifies",
                                       "hold qmp-events",
                                       "hold console-flood",
                                       "hold streams-flood" };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(roles); i++) {
    struct box *box = vm_running(roles[i]);
    uint64_t began = zl_time_boot();

    box_do(box, json_pack("{s:s, s:i}", "op", "kill", "signal", SIGKILL));
    vm_expect_end(box, 137, "signal");
    assert_true(zl_time_boot() - began < QUICK_S * ZL_NS_PER_S);
    vm_free(box);
  }
}

/* The guest answers in order: the wait, which was asked at the start, and then this. */
static struct box *running_and_ended(const char *role)
{
  struct box *box = vm_running(role);

  json_decref(box_ask(box, "{s:s}", "op", "stats"));
  return box;
}

/* The guest says how its workload ended, and never ends its streams: only force helps, and the
 * first reason counts. */
static void streams_without_an_end_hold_up_nobody(void **state)
{
  static const char *const roles[] = { "streams-never", "streams-open" };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(roles); i++) {
    struct box *box = running_and_ended(roles[i]);

    box_do(box, json_pack("{s:s, s:i}", "op", "kill", "signal", SIGKILL));
    vm_expect_end(box, 137, "oom_killed");
    vm_free(box);
    box = running_and_ended(roles[i]);
    vm_stop(box, GRACE_MS);
    vm_expect_end(box, 137, "oom_killed");
    vm_free(box);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    VM_CASE(a_broken_monitor_refuses),
    VM_CASE(a_broken_bridge_refuses),
    VM_CASE(silence_refuses_in_the_end),
    VM_CASE(the_last_words_are_told),
    VM_CASE(a_start_that_breaks_is_a_failure),
    VM_CASE(a_good_guest_is_served),
    VM_CASE(a_bridge_that_breaks_is_a_failure),
    VM_CASE(streams_that_break_are_a_failure),
    VM_CASE(a_machine_that_halts_is_a_failure),
    VM_CASE(a_dead_machine_leaves_its_last_words),
    VM_CASE(deafness_ends_with_the_grace),
    VM_CASE(a_signal_that_breaks_is_a_failure),
    VM_CASE(a_signal_without_an_answer_is_a_failure),
    VM_CASE(kill_is_immediate),
    VM_CASE(streams_without_an_end_hold_up_nobody),
  };

  return cmocka_run_group_tests(tests, vm_group_begin, box_group_end);
}
