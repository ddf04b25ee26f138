/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "cli/args.h"

static const struct zl_option own[] = {
  { "env", "KEY=VALUE", "", .letter = 'e', .repeat = true },
  { "publish", "PORT", "", .letter = 'p', .repeat = true },
  { "name", "NAME", "" },
  { "mode", "MODE", "", "auto process" },
  { "detach", NULL, "", .letter = 'd' },
  { "interactive", NULL, "", .letter = 'i' },
  { "tty", NULL, "", .letter = 't' },
  { "hostname", "NAME", "", .letter = 'h' },
  { "secret", NULL, "", .hidden = true },
  { "count", "N", "" },
  { NULL },
};

struct line {
  struct zl_args args;
  struct zl_error err;
  int r;
};

#define PARSE(line, flags, ...)                                                \
  do {                                                                         \
    static const char *const words_[] = { __VA_ARGS__ };                       \
    parse((line), (flags), (int)ZL_COUNT(words_), (char **)(uintptr_t)words_); \
  } while (0)

static void parse(struct line *line, unsigned flags, int argc, char **argv)
{
  memset(line, 0, sizeof(*line));
  line->r = zl_args_parse(&line->args, own, flags, argc, argv, NULL, &line->err);
}

static void fails(struct line *line, const char *message)
{
  assert_int_equal(line->r, -ZL_E_INVALID);
  assert_string_equal(line->err.msg, message);
  zl_args_done(&line->args);
}

static void long_options(void **state)
{
  struct line l;

  (void)state;
  PARSE(&l, 0, "--name", "a", "x", "--env=K=V", "--detach", "y", "--mode=process");
  assert_int_equal(l.r, 0);
  assert_string_equal(zl_args_get(&l.args, "name"), "a");
  assert_string_equal(zl_args_get(&l.args, "env"), "K=V");
  assert_string_equal(zl_args_get(&l.args, "mode"), "process");
  assert_true(zl_args_has(&l.args, "detach"));
  assert_false(zl_args_has(&l.args, "tty"));
  assert_null(zl_args_get(&l.args, "root"));
  assert_int_equal(l.args.n_operands, 2);
  assert_string_equal(l.args.operands[1], "y");
  assert_null(l.args.operands[2]);
  zl_args_done(&l.args);
}

static void short_options(void **state)
{
  struct line l;
  size_t pos = 0;

  (void)state;
  PARSE(&l, 0, "-itp80:80", "-p", "81:81", "-p=82:82", "-dhbox", "-");
  assert_int_equal(l.r, 0);
  assert_true(zl_args_has(&l.args, "interactive"));
  assert_true(zl_args_has(&l.args, "tty"));
  assert_string_equal(zl_args_next(&l.args, "publish", &pos), "80:80");
  assert_string_equal(zl_args_next(&l.args, "publish", &pos), "81:81");
  assert_string_equal(zl_args_next(&l.args, "publish", &pos), "82:82");
  assert_null(zl_args_next(&l.args, "publish", &pos));
  assert_string_equal(zl_args_get(&l.args, "hostname"), "box"); /* not the global -h */
  assert_false(zl_args_has(&l.args, "help"));
  assert_string_equal(l.args.operands[0], "-");
  zl_args_done(&l.args);
}

static void end_of_options(void **state)
{
  struct line l;

  (void)state;
  PARSE(&l, 0, "a", "--", "--name", "-d");
  assert_int_equal(l.r, 0);
  assert_int_equal(l.args.n_operands, 3);
  assert_string_equal(l.args.operands[1], "--name");
  zl_args_done(&l.args);

  PARSE(&l, ZL_VERB_OPTIONS_FIRST, "-d", "image", "ls", "-t", "--name", "--", "x");
  assert_int_equal(l.r, 0);
  assert_int_equal(l.args.n_operands, 6);
  assert_string_equal(l.args.operands[2], "-t");
  assert_string_equal(l.args.operands[4], "--");
  assert_false(zl_args_has(&l.args, "tty"));
  zl_args_done(&l.args);

  PARSE(&l, ZL_VERB_OPTIONS_FIRST, "--", "-d");
  assert_int_equal(l.r, 0);
  assert_string_equal(l.args.operands[0], "-d");
  zl_args_done(&l.args);
}

static void refused(void **state)
{
  struct line l;

  (void)state;
  PARSE(&l, 0, "--nmae", "x");
  fails(&l, "unknown option '--nmae' (did you mean '--name'?)");
  PARSE(&l, 0, "--inter");
  fails(&l, "unknown option '--inter' (did you mean '--interactive'?)");
  PARSE(&l, 0, "--quux=1");
  fails(&l, "unknown option '--quux'");
  PARSE(&l, 0, "--secrets");
  fails(&l, "unknown option '--secrets'"); /* a hidden one is not suggested */
  PARSE(&l, 0, "-dx");
  fails(&l, "unknown option '-x'");
  PARSE(&l, 0, "--name");
  fails(&l, "option '--name' needs a value: NAME");
  PARSE(&l, 0, "-e");
  fails(&l, "option '--env' needs a value: KEY=VALUE");
  PARSE(&l, 0, "--tty=yes");
  fails(&l, "option '--tty' takes no value");
  PARSE(&l, 0, "--name", "a", "--name=b");
  fails(&l, "option '--name' is given twice");
  PARSE(&l, 0, "--mode", "aut");
  fails(&l, "option '--mode': 'aut' is none of: auto process");
  PARSE(&l, 0, "--log-level=loud");
  fails(&l, "option '--log-level': 'loud' is none of: error warning info debug");
}

static void repeated_flags_are_one(void **state)
{
  struct line l;

  (void)state;
  PARSE(&l, 0, "-ddd", "--detach", "-e", "A=1", "-eB=2");
  assert_int_equal(l.r, 0);
  assert_int_equal(l.args.n_given, 3);
  zl_args_done(&l.args);
}

static void globals_come_along(void **state)
{
  static const char *const first[] = { "--root", "/x", "verb", "-d" };
  static const char *const rest[] = { "-d", "--slice-cidr=10.0.0.0/8" };
  struct zl_args before, args;
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(
      zl_args_parse(&before, NULL, ZL_VERB_OPTIONS_FIRST, 4, (char **)(uintptr_t)first, NULL, &err),
      0);
  assert_int_equal(before.n_operands, 2);
  assert_int_equal(zl_args_parse(&args, own, 0, 2, (char **)(uintptr_t)rest, &before, &err), 0);
  assert_string_equal(zl_args_get(&args, "root"), "/x");
  assert_string_equal(zl_args_get(&args, "slice-cidr"), "10.0.0.0/8");
  assert_true(zl_args_has(&args, "detach"));
  zl_args_done(&args);
  zl_args_done(&before);
}

static void operands_are_counted(void **state)
{
  static const struct zl_verb verb = {
    .name = "cp", .usage = "FROM TO", .min_operands = 2, .max_operands = 2
  };
  struct line l;

  (void)state;
  PARSE(&l, 0, "a");
  assert_int_equal(zl_args_check_operands(&l.args, &verb, &l.err), -ZL_E_INVALID);
  assert_string_equal(l.err.msg, "too few arguments: cp FROM TO");
  zl_args_done(&l.args);
  PARSE(&l, 0, "a", "b", "c");
  assert_int_equal(zl_args_check_operands(&l.args, &verb, &l.err), -ZL_E_INVALID);
  assert_string_equal(l.err.msg, "unexpected argument 'c': cp FROM TO");
  zl_args_done(&l.args);
  PARSE(&l, 0, "a", "b");
  assert_int_equal(zl_args_check_operands(&l.args, &verb, &l.err), 0);
  zl_args_done(&l.args);
}

static void numbers(void **state)
{
  struct line l;
  uint64_t n = 7;

  (void)state;
  PARSE(&l, 0, "--count", "12");
  assert_int_equal(zl_args_u64(&l.args, "count", 20, 1, &n, &l.err), 0);
  assert_int_equal(n, 12);
  assert_int_equal(zl_args_u64(&l.args, "count", 11, 1, &n, &l.err), -ZL_E_INVALID);
  assert_string_equal(l.err.msg, "option '--count': '12' is no number from 0 to 11");
  zl_args_done(&l.args);
  PARSE(&l, 0, "x");
  assert_int_equal(zl_args_u64(&l.args, "count", 11, 5, &n, &l.err), 0);
  assert_int_equal(n, 5);
  zl_args_done(&l.args);
  PARSE(&l, 0, "--count", "-1");
  assert_int_equal(zl_args_u64(&l.args, "count", 11, 5, &n, &l.err), -ZL_E_INVALID);
  zl_args_done(&l.args);
}

static void distances(void **state)
{
  (void)state;
  assert_int_equal(zl_edit_distance("", ""), 0);
  assert_int_equal(zl_edit_distance("abc", ""), 3);
  assert_int_equal(zl_edit_distance("init", "niit"), 1);
  assert_int_equal(zl_edit_distance("publish", "pblish"), 1);
  assert_int_equal(zl_edit_distance("run", "ran"), 1);
  assert_int_equal(zl_edit_distance("kitten", "sitting"), 3);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(long_options),
    cmocka_unit_test(short_options),
    cmocka_unit_test(end_of_options),
    cmocka_unit_test(refused),
    cmocka_unit_test(repeated_flags_are_one),
    cmocka_unit_test(globals_come_along),
    cmocka_unit_test(operands_are_counted),
    cmocka_unit_test(numbers),
    cmocka_unit_test(distances),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
