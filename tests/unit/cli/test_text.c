/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/time.h"
#include "cli/containers.h"
#include "cli/env.h"
#include "cli/human.h"
#include "cli/run_service.h"
#include "cli/stats.h"
#include "cli/table.h"

static void sizes(void **state)
{
  static const struct {
    uint64_t bytes;
    const char *text;
  } cases[] = {
    { 0, "0 B" },
    { 999, "999 B" },
    { 1000, "1.0 KiB" },
    { 1536, "1.5 KiB" },
    { 10240, "10 KiB" },
    { 1047552, "1.0 MiB" },
    { UINT64_C(5) << 30, "5.0 GiB" },
    { UINT64_MAX, "16 EiB" },
  };
  char text[ZL_HUMAN_TEXT];

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++)
    assert_string_equal(zl_human_size(cases[i].bytes, text), cases[i].text);
}

static void durations(void **state)
{
  char text[ZL_HUMAN_TEXT];
  uint64_t now = UINT64_C(1700000000) * ZL_NS_PER_S;

  (void)state;
  assert_string_equal(zl_human_duration(0, text), "0 seconds");
  assert_string_equal(zl_human_duration(ZL_NS_PER_S, text), "1 second");
  assert_string_equal(zl_human_duration(119 * ZL_NS_PER_S, text), "1 minute");
  assert_string_equal(zl_human_duration(7200 * ZL_NS_PER_S, text), "2 hours");
  assert_string_equal(zl_human_ago(now - 180 * ZL_NS_PER_S, now, text), "3 minutes ago");
  assert_string_equal(zl_human_ago(now, now, text), "now");
  assert_string_equal(zl_human_ago(now + ZL_NS_PER_S * 99, now, text), "now");
  assert_string_equal(zl_human_ago(0, now, text), "never");
}

static void times_of_the_command_line(void **state)
{
  uint64_t now = UINT64_C(1700000000) * ZL_NS_PER_S, ns = 0;
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(zl_human_parse_time("90s", now, &ns, &err), 0);
  assert_int_equal(ns, now - 90 * ZL_NS_PER_S);
  assert_int_equal(zl_human_parse_time("1h30m", now, &ns, &err), 0);
  assert_int_equal(ns, now - 5400 * ZL_NS_PER_S);
  assert_int_equal(zl_human_parse_time("1600000000.25", now, &ns, &err), 0);
  assert_int_equal(ns, UINT64_C(1600000000250000000));
  assert_int_equal(zl_human_parse_time("2023-11-14T22:13:20Z", now, &ns, &err), 0);
  assert_int_equal(ns, now);
  assert_int_equal(zl_human_parse_time("99999d", now, &ns, &err), 0);
  assert_int_equal(ns, 1); /* before all records; 0 would mean "no bound" */
  for (size_t i = 0; i < 6; i++) {
    static const char *const bad[] = { "", "10", "x", "5m2", "99999999999999999999s", "10q" };

    if (i == 1)
      continue; /* ten seconds after 1970 */
    assert_int_equal(zl_human_parse_time(bad[i], now, &ns, &err), -ZL_E_INVALID);
  }
}

static void digests(void **state)
{
  char text[ZL_HUMAN_TEXT];

  (void)state;
  assert_string_equal(zl_human_digest("sha256:0123456789abcdef0123", text), "sha256:0123456789ab");
  assert_string_equal(zl_human_digest("plain", text), "plain");
  assert_string_equal(zl_human_digest(NULL, text), "");
}

static void statuses(void **state)
{
  uint64_t now = UINT64_C(1700000000) * ZL_NS_PER_S;
  struct zl_container_info info = { .started_at_ns = now - 60 * ZL_NS_PER_S };
  char text[ZL_STATUS_TEXT];

  (void)state;
  info.state.state = ZL_STATE_RUNNING;
  assert_string_equal(zl_human_status(&info, now, text), "running 1 minute");
  info.state.paused = true;
  assert_string_equal(zl_human_status(&info, now, text), "running 1 minute (paused)");
  info.state.state = ZL_STATE_EXITED;
  info.state.outcome = (struct zl_outcome){ 137, ZL_EXIT_OOM_KILLED, 9, now - ZL_NS_PER_S * 5 };
  assert_string_equal(zl_human_status(&info, now, text),
                      "exited (137, out of memory) 5 seconds ago");
  info.state.state = ZL_STATE_FAILED;
  strcpy(info.state.reason, "no such file");
  assert_string_equal(zl_human_status(&info, now, text), "failed: no such file");
  info.state.state = ZL_STATE_INITIALIZING;
  assert_string_equal(zl_human_status(&info, now, text), "created");
}

static void tables(void **state)
{
  static const char *const titles[] = { "NAME", "SIZE", "NOTE" };
  struct zl_error err = { 0 };
  zl_autobuf out = ZL_BUF_INIT(4096);
  zl_autotable table;

  (void)state;
  zl_table_init(&table, titles, 3);
  assert_int_equal(zl_table_add(&table, "gr\xc3\xbc\xc3\x9f", &err), 0);
  assert_int_equal(zl_table_addf(&table, &err, "%d", 12345), 0);
  assert_int_equal(zl_table_add(&table, "x\x1b[31m\n", &err), 0);
  assert_int_equal(zl_table_add(&table, "longer name", &err), 0);
  assert_int_equal(zl_table_add(&table, NULL, &err), 0);
  assert_int_equal(zl_table_add(&table, NULL, &err), 0);
  assert_int_equal(zl_table_add(&table, "unfinished", &err), 0);
  assert_int_equal(zl_table_render(&table, &out, &err), 0);
  assert_string_equal(out.data, "NAME         SIZE   NOTE\n"
                                "gr\xc3\xbc\xc3\x9f         12345  x?[31m?\n"
                                "longer name\n");
}

static int keep(void *payload, const char *key, const char *value, struct zl_error *err)
{
  return zl_pairs_set(payload, key, value, err);
}

static void environment(void **state)
{
  struct zl_pairs pairs = { 0 };
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(setenv("ZL_TEST_ENV", "from outside", 1), 0);
  assert_int_equal(unsetenv("ZL_TEST_NONE"), 0);
  assert_int_equal(zl_env_parse("A=b=c", keep, &pairs, &err), 0);
  assert_int_equal(zl_env_parse("EMPTY=", keep, &pairs, &err), 0);
  assert_int_equal(zl_env_parse("ZL_TEST_ENV", keep, &pairs, &err), 0);
  assert_int_equal(zl_env_parse("ZL_TEST_NONE", keep, &pairs, &err), 0);
  assert_int_equal(zl_env_parse("=x", keep, &pairs, &err), -ZL_E_INVALID);
  assert_int_equal(zl_env_parse("A B=x", keep, &pairs, &err), -ZL_E_INVALID);
  assert_int_equal(pairs.count, 3);
  assert_string_equal(zl_pairs_find(&pairs, "A"), "b=c");
  assert_string_equal(zl_pairs_find(&pairs, "EMPTY"), "");
  assert_string_equal(zl_pairs_find(&pairs, "ZL_TEST_ENV"), "from outside");
  zl_pairs_done(&pairs);
}

static void generated_names(void **state)
{
  static const struct {
    const char *image, *head;
  } cases[] = {
    { "busybox", "busybox-" },
    { "docker.io/library/My-App:1.2", "my-app-" },
    { "127.0.0.1:5000/a/b@sha256:00", "b-" },
    { "oci:build/images/hello", "hello-" },
    { "oci:hello:tag", "hello-" },
    { "docker-archive:/x/9.tar", "container-" },
  };
  struct zl_error err = { 0 };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    zl_autofree char *name = NULL;

    assert_int_equal(zl_run_generate_name(cases[i].image, &name, &err), 0);
    assert_int_equal(strlen(name), strlen(cases[i].head) + 6);
    assert_memory_equal(name, cases[i].head, strlen(cases[i].head));
  }
}

static void filters(void **state)
{
  static const struct zl_option own[] = { { "filter", "F", "", .repeat = true }, { NULL } };
  static const char *const words[] = { "--filter=name=we", "--filter=state=exited",
                                       "--filter=state=running" };
  static const char *const bad[] = { "--filter=colour=red" };
  static const char *const bad_state[] = { "--filter=state=asleep" };
  struct zl_container_info info = { .id = (char[]){ "web-rep-1" } };
  struct zl_error err = { 0 };
  struct zl_args args;

  (void)state;
  assert_int_equal(zl_args_parse(&args, own, 0, 3, (char **)(uintptr_t)words, NULL, &err), 0);
  assert_int_equal(zl_filters_check(&args, &err), 0);
  assert_true(zl_filters_have(&args, "state"));
  assert_false(zl_filters_have(&args, "deployment"));
  info.state.state = ZL_STATE_RUNNING;
  assert_true(zl_filters_match(&args, &info));
  info.state.state = ZL_STATE_FAILED;
  assert_false(zl_filters_match(&args, &info));
  info.id = (char[]){ "db-rep-1" };
  info.state.state = ZL_STATE_EXITED;
  assert_false(zl_filters_match(&args, &info));
  zl_args_done(&args);
  assert_int_equal(zl_args_parse(&args, own, 0, 1, (char **)(uintptr_t)bad, NULL, &err), 0);
  assert_int_equal(zl_filters_check(&args, &err), -ZL_E_INVALID);
  zl_args_done(&args);
  assert_int_equal(zl_args_parse(&args, own, 0, 1, (char **)(uintptr_t)bad_state, NULL, &err), 0);
  assert_int_equal(zl_filters_check(&args, &err), -ZL_E_INVALID);
  zl_args_done(&args);
}

static void container_json_bears_nulls(void **state)
{
  struct zl_container_info info = { 0 };
  zl_autojson *json = zl_container_json(&info);

  (void)state;
  assert_non_null(json);
  assert_true(json_is_null(json_object_get(json, "id")));
  assert_true(json_is_null(json_object_get(json, "exitCode")));
  assert_true(json_is_null(json_object_get(json, "startedAt")));
  assert_string_equal(json_string_value(json_object_get(json, "state")), "pending");
}

static void cpu_share(void **state)
{
  struct zl_stats_pair pair = { .has_before = true };

  (void)state;
  pair.before.time_ns = 1000;
  pair.before.cpu_usage_ns = 500;
  pair.now.time_ns = 2000;
  pair.now.cpu_usage_ns = 2000;
  assert_true(zl_stats_cpu_percent(&pair) == 150.0);
  pair.now.time_ns = 1000;
  assert_true(zl_stats_cpu_percent(&pair) == 0.0);
  pair.has_before = false;
  assert_true(zl_stats_cpu_percent(&pair) == 0.0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(sizes),
    cmocka_unit_test(durations),
    cmocka_unit_test(times_of_the_command_line),
    cmocka_unit_test(digests),
    cmocka_unit_test(statuses),
    cmocka_unit_test(tables),
    cmocka_unit_test(environment),
    cmocka_unit_test(generated_names),
    cmocka_unit_test(filters),
    cmocka_unit_test(container_json_bears_nulls),
    cmocka_unit_test(cpu_share),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
