/* SPDX-License-Identifier: Apache-2.0 */
#include "box.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

static void out_of_memory_is_told_apart(void **state)
{
  struct box *box = BOX_SH("x=x; while :; do x=$x$x; done");
  struct box *killed = BOX_SH("kill -KILL $$; sleep 100");
  char reason[32];
  int code;

  (void)state;
  box_set(box, "linux.resources.memory",
          json_pack("{s:i, s:i}", "limit", 16 << 20, "swap", 16 << 20));
  box_run(box);
  box_finish(box, &code, reason);
  assert_int_equal(code, 137);
  assert_string_equal(reason, "oom_killed");
  box_free(box);

  box_set(killed, "linux.resources.memory", json_pack("{s:i}", "limit", 16 << 20));
  box_run(killed);
  box_do(killed, json_pack("{s:s, s:i}", "op", "kill", "signal", SIGKILL));
  box_finish(killed, &code, reason);
  assert_int_equal(code, 137);
  assert_string_equal(reason, "signal");
  box_free(killed);
}

static void process_limit(void **state)
{
  struct box *box =
      BOX_SH("i=0; while [ $i -lt 20 ]; do (sleep 5 &) 2>/dev/null || break; i=$((i+1)); done;"
             "[ $i -lt 20 ] && echo limited; exit 0");

  (void)state;
  box_set(box, "linux.resources.pids", json_pack("{s:i}", "limit", 8));
  box_expect(box, 0);
  box_assert_output(box, "limited\n");
  box_free(box);
}

static void devices_are_closed(void **state)
{
  struct box *box =
      BOX_SH("mknod /tmp/mem c 1 1 && echo made; cat /tmp/mem 2>/dev/null || echo refused;"
             "head -c 4 /dev/urandom | wc -c");

  (void)state;
  box_set(box, "linux.resources.devices", json_pack("[{s:b, s:s}]", "allow", 0, "access", "rwm"));
  for (int i = 0; i < 3; i++) {
    static const char *const sets[] = { "bounding", "effective", "permitted" };
    char path[64];

    (void)snprintf(path, sizeof(path), "process.capabilities.%s", sets[i]);
    box_add(box, path, json_string("CAP_MKNOD"));
  }
  box_expect(box, 0);
  box_assert_output(box, "made\nrefused\n4\n");
  box_free(box);
}

static void limits_of_a_process(void **state)
{
  struct box *box = BOX_SH("ulimit -n; ulimit -Hn");

  (void)state;
  box_set(box, "process.rlimits",
          json_pack("[{s:s, s:i, s:i}]", "type", "RLIMIT_NOFILE", "soft", 123, "hard", 456));
  box_expect(box, 0);
  box_assert_output(box, "123\n456\n");
  box_free(box);
}

static void sysctls_of_the_container(void **state)
{
  struct box *box = BOX_SH("cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmni");
  char *before = read_text("/proc/sys/kernel/shmmni"), *after;

  (void)state;
  box_set(box, "linux.sysctl",
          json_pack("{s:s, s:s}", "net.ipv4.ip_forward", "1", "kernel.shmmni", "123"));
  box_expect(box, 0);
  box_assert_output(box, "1\n123\n");
  box_free(box);
  after = read_text("/proc/sys/kernel/shmmni");
  assert_string_equal(before, after);
  free(before);
  free(after);
}

static void statistics(void **state)
{
  struct box *box =
      BOX_SH("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; sleep 100 & echo up; wait");
  json_t *reply, *stats;

  (void)state;
  box_set(box, "linux.resources.memory", json_pack("{s:i}", "limit", 32 << 20));
  box_run(box);
  box_await_output(box);
  reply = box_ask(box, "{s:s}", "op", "stats");
  stats = json_object_get(reply, "stats");
  assert_true(json_integer_value(json_object_get(stats, "cpu_usage_ns")) > 0);
  assert_true(json_integer_value(json_object_get(stats, "memory_bytes")) > 0);
  assert_int_equal(json_integer_value(json_object_get(stats, "memory_limit")), 32 << 20);
  assert_int_equal(json_integer_value(json_object_get(stats, "pids")), 2);
  assert_int_equal(json_integer_value(json_object_get(stats, "pids_limit")), 64);
  json_decref(reply);
  box_do(box, json_pack("{s:s, s:i}", "op", "kill", "signal", SIGKILL));
  box_end(box);
  box_free(box);
}

static unsigned pss_of(pid_t pid)
{
  char path[64], *text, *at;
  unsigned kib;

  (void)snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
  text = read_text(path);
  assert_non_null(text);
  at = strstr(text, "Pss:");
  assert_non_null(at);
  kib = (unsigned)strtoul(at + 4, NULL, 10);
  free(text);
  return kib;
}

/* Eight shims, which share the pages of the program, that have run an exec and passed some output
 * on. */
static void a_shim_is_small(void **state)
{
  enum {
    COUNT = 8,
    MAX_PSS_KIB = 400
  };
  struct box *boxes[COUNT];

  (void)state;
  for (int i = 0; i < COUNT; i++) {
    boxes[i] = BOX_SH("seq -w 1 100000; sleep 100");
    box_run(boxes[i]);
    free(box_exec(boxes[i], "seq 1 1000", NULL, 0));
  }
  for (int i = 0; i < COUNT; i++) {
    unsigned kib = pss_of(boxes[i]->shim.pid);

    print_message("PSS %u KiB\n", kib);
    if (getenv("ZLAYER_SHIM_SANITIZED") == NULL)
      assert_in_range(kib, 1, MAX_PSS_KIB);
  }
  for (int i = 0; i < COUNT; i++) {
    box_do(boxes[i], json_pack("{s:s, s:i}", "op", "kill", "signal", SIGKILL));
    box_end(boxes[i]);
    box_free(boxes[i]);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(out_of_memory_is_told_apart),
    cmocka_unit_test(process_limit),
    cmocka_unit_test(devices_are_closed),
    cmocka_unit_test(limits_of_a_process),
    cmocka_unit_test(sysctls_of_the_container),
    cmocka_unit_test(statistics),
    cmocka_unit_test(a_shim_is_small),
  };

  return cmocka_run_group_tests(tests, box_group_begin, box_group_end);
}
