/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <string.h>
#include <zlayer/runtime.h>

static const struct {
  struct zl_container_id id;
  const char *text;
} known[] = {
  { { "web", 1, NULL, 0 }, "web-rep-1" },
  { { "web", 1, "default", 0 }, "web-rep-1" },
  { { "web", 0, "default", 7 }, "web-default-0-on-7" },
  { { "pg", 2, "primary", 0 }, "pg-primary-2-on-0" },
  { { "a-b-c", 3, "r", 12 }, "a-b-c-r-3-on-12" },
  { { "x-on-5", 4, NULL, 0 }, "x-on-5-rep-4" },
  { { "x-rep-9", 4294967295u, NULL, 0 }, "x-rep-9-rep-4294967295" },
  { { "w", 1, "rep", 18446744073709551615u }, "w-rep-1-on-18446744073709551615" },
};

static void ids_format_and_parse_back(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
    char text[ZL_ID_TEXT], space[2 * ZL_ID_TEXT];
    struct zl_container_id id = { 0 };

    assert_int_equal(zl_container_id_format(&known[i].id, text, NULL), 0);
    assert_string_equal(text, known[i].text);
    assert_int_equal(zl_container_id_parse(text, space, &id, NULL), 0);
    assert_string_equal(id.service, known[i].id.service);
    assert_string_equal(id.role, known[i].id.role != NULL ? known[i].id.role : "default");
    assert_true(id.replica == known[i].id.replica && id.node_id == known[i].id.node_id);
  }
}

static void odd_ids_are_refused(void **state)
{
  static const char *const texts[] = { "",          "web",       "web-rep-",  "web-rep-01",
                                       "web-rep-x", "-rep-1",    "a/b-rep-1", "web-rep-4294967296",
                                       "w-on-1",    "../x-rep-1" };
  struct zl_container_id bad[] = { { "", 1, NULL, 0 },   { "a/b", 1, NULL, 0 },
                                   { ".a", 1, NULL, 0 }, { NULL, 1, NULL, 0 },
                                   { "a", 1, "", 0 },    { "a", 1, "r/1", 0 } };
  char text[ZL_ID_TEXT], space[2 * ZL_ID_TEXT];
  struct zl_container_id id;

  (void)state;
  for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
    assert_int_equal(zl_container_id_parse(texts[i], space, &id, NULL), -ZL_E_INVALID);
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
    assert_int_equal(zl_container_id_format(&bad[i], text, NULL), -ZL_E_INVALID);
}

static void the_longest_parts_do_not_fit_together(void **state)
{
  char part[65], text[ZL_ID_TEXT];
  struct zl_container_id id = { part, 1, part, 1 };

  (void)state;
  memset(part, 'a', 64);
  part[64] = '\0';
  assert_int_equal(zl_container_id_format(&id, text, NULL), -ZL_E_INVALID);
  id.role = "r";
  assert_int_equal(zl_container_id_format(&id, text, NULL), 0);
}

static void signals_have_names_and_numbers(void **state)
{
  static const struct {
    const char *text;
    int signal;
  } good[] = { { "TERM", SIGTERM }, { "SIGTERM", SIGTERM }, { "sigkill", SIGKILL },
               { "15", 15 },        { "64", 64 },           { "USR1", SIGUSR1 } };
  static const char *const bad[] = { "", "0", "65", "SIG", "TERMX", "-9", "9x", "RTMIN+99" };
  int signal = 0;

  (void)state;
  for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
    assert_int_equal(zl_signal_parse(good[i].text, &signal, NULL), 0);
    assert_int_equal(signal, good[i].signal);
  }
  assert_int_equal(zl_signal_parse("RTMIN+3", &signal, NULL), 0);
  assert_int_equal(signal, SIGRTMIN + 3);
  assert_int_equal(zl_signal_parse("SIGRTMAX-1", &signal, NULL), 0);
  assert_int_equal(signal, SIGRTMAX - 1);
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
    assert_int_equal(zl_signal_parse(bad[i], &signal, NULL), -ZL_E_INVALID);
}

static void names_are_those_of_the_interface(void **state)
{
  (void)state;
  assert_string_equal(zl_state_name(ZL_STATE_INITIALIZING), "initializing");
  assert_string_equal(zl_state_name((enum zl_state)99), "unknown");
  assert_string_equal(zl_exit_reason_name(ZL_EXIT_OOM_KILLED), "oom_killed");
}

int main(void)
{
  const struct CMUnitTest cases[] = {
    cmocka_unit_test(ids_format_and_parse_back),
    cmocka_unit_test(odd_ids_are_refused),
    cmocka_unit_test(the_longest_parts_do_not_fit_together),
    cmocka_unit_test(signals_have_names_and_numbers),
    cmocka_unit_test(names_are_those_of_the_interface),
  };

  return cmocka_run_group_tests(cases, NULL, NULL);
}
