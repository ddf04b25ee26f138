/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/strv.h"
#include "oci/options.h"

static struct values {
  bool flag, other;
  const char *text;
  int64_t number, bytes;
  char **list;
} v;

static const struct oci_option table[] = {
  { .name = "flag", .letter = 'f', .kind = OCI_FLAG, .variable = &v.flag },
  { .name = "other", .letter = 'o', .kind = OCI_FLAG, .variable = &v.other },
  { .name = "text", .letter = 't', .kind = OCI_TEXT, .variable = &v.text },
  { .name = "number", .kind = OCI_NUMBER, .variable = &v.number },
  { .name = "bytes", .kind = OCI_BYTES, .variable = &v.bytes },
  { .name = "list", .letter = 'l', .kind = OCI_LIST, .variable = &v.list },
  { .name = "refused", .kind = OCI_REFUSED, .why = "because" },
  { .name = "refused-value", .kind = OCI_REFUSED, .takes_value = true, .why = "because" },
  { .name = "nothing", .kind = OCI_NOTHING },
  { .name = "nothing-value", .kind = OCI_NOTHING, .takes_value = true },
};

static int first;
static struct zl_error err;

static int parse_n(int argc, char **argv)
{
  zl_strv_free(v.list);
  memset(&v, 0, sizeof(v));
  v.number = -7;
  memset(&err, 0, sizeof(err));
  return oci_options(table, ZL_COUNT(table), argc, argv, &first, &err);
}

#define PARSE(...)                                                  \
  parse_n((int)ZL_COUNT(((const char *[]){ "verb", __VA_ARGS__ })), \
          (char **)(uintptr_t)(const char *[]){ "verb", __VA_ARGS__, NULL })

static void values_are_taken(void **state)
{
  (void)state;
  assert_int_equal(
      PARSE("--flag", "--text", "a", "--number=12", "-l", "x", "--list=y", "id", "--other"), 0);
  assert_true(v.flag && !v.other);
  assert_string_equal(v.text, "a");
  assert_int_equal(v.number, 12);
  assert_string_equal(v.list[0], "x");
  assert_string_equal(v.list[1], "y");
  assert_null(v.list[2]);
  assert_int_equal(first, 8);
}

static void nothing_is_changed_when_not_given(void **state)
{
  (void)state;
  assert_int_equal(PARSE("id"), 0);
  assert_int_equal(v.number, -7);
  assert_null(v.text);
  assert_null(v.list);
  assert_int_equal(first, 1);
}

static void letters_join(void **state)
{
  (void)state;
  assert_int_equal(PARSE("-fo", "-tvalue", "id"), 0);
  assert_true(v.flag && v.other);
  assert_string_equal(v.text, "value");
  assert_int_equal(PARSE("-ft", "value"), 0);
  assert_string_equal(v.text, "value");
  assert_int_equal(first, 3);
}

static void flags_have_values_as_in_go(void **state)
{
  (void)state;
  assert_int_equal(PARSE("--flag=true", "--other=false"), 0);
  assert_true(v.flag && !v.other);
  assert_int_equal(PARSE("--flag=1", "--other=0"), 0);
  assert_true(v.flag && !v.other);
  assert_int_equal(PARSE("--flag=perhaps"), -ZL_E_INVALID);
  assert_non_null(strstr(err.msg, "--flag: 'perhaps'"));
}

static void the_last_one_counts(void **state)
{
  (void)state;
  assert_int_equal(PARSE("-t", "a", "-t", "b", "--flag", "--flag=false"), 0);
  assert_string_equal(v.text, "b");
  assert_false(v.flag);
}

static void two_dashes_end_the_options(void **state)
{
  (void)state;
  assert_int_equal(PARSE("-f", "--", "--other"), 0);
  assert_true(v.flag && !v.other);
  assert_int_equal(first, 3);
}

static void what_is_wrong_is_named(void **state)
{
  static const struct {
    const char *word, *part;
  } bad[] = {
    { "--none", "--none" },
    { "-x", "-x" },
    { "--text", "--text" },
    { "-t", "-t" },
    { "--number=", "--number" },
    { "--number=1x", "'1x'" },
    { "--number=99999999999999999999", "--number" },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(bad); i++) {
    assert_int_equal(PARSE(bad[i].word), -ZL_E_INVALID);
    assert_non_null(strstr(err.msg, bad[i].part));
  }
}

static void refused_ones_say_why(void **state)
{
  (void)state;
  assert_int_equal(PARSE("--refused"), -ZL_E_UNSUPPORTED);
  assert_string_equal(err.msg, "--refused: because");
  assert_int_equal(PARSE("--refused-value", "x"), -ZL_E_UNSUPPORTED);
  assert_int_equal(PARSE("--nothing", "--nothing-value", "x", "id"), 0);
  assert_int_equal(first, 4);
}

static void a_refused_flag_may_be_off(void **state)
{
  (void)state;
  assert_int_equal(PARSE("--refused=false", "--nothing=true", "id"), 0);
  assert_int_equal(first, 3);
  assert_int_equal(PARSE("--refused=true"), -ZL_E_UNSUPPORTED);
}

static void bytes_have_units(void **state)
{
  static const struct {
    const char *text;
    int64_t bytes;
  } good[] = { { "0", 0 },          { "-1", -1 },      { "1024", 1024 },
               { "5b", 5 },         { "5k", 5 << 10 }, { "5K", 5 << 10 },
               { "50M", 50 << 20 }, { "1g", 1 << 30 }, { "2t", INT64_C(2) << 40 } };
  static const char *const bad[] = { "", "m", "-1m", "5mm", "5x", "5 m", "9000000000t", "0x5" };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(good); i++) {
    assert_int_equal(PARSE("--bytes", good[i].text), 0);
    assert_true(v.bytes == good[i].bytes);
  }
  for (size_t i = 0; i < ZL_COUNT(bad); i++)
    assert_int_equal(PARSE("--bytes", bad[i]), -ZL_E_INVALID);
}

static int id_n(int argc, char **argv, const char **ret_id)
{
  memset(&v, 0, sizeof(v));
  memset(&err, 0, sizeof(err));
  return oci_options_id(table, 2, argc, argv, ret_id, &err);
}

#define ID(...)                                                  \
  id_n((int)ZL_COUNT(((const char *[]){ "verb", __VA_ARGS__ })), \
       (char **)(uintptr_t)(const char *[]){ "verb", __VA_ARGS__, NULL }, &id)

static void one_id_anywhere(void **state)
{
  const char *id = NULL;

  (void)state;
  assert_int_equal(ID("-f", "name"), 0);
  assert_string_equal(id, "name");
  assert_int_equal(ID("name", "-f"), 0);
  assert_true(v.flag);
  assert_string_equal(id, "name");
  assert_int_equal(ID("-f"), -ZL_E_INVALID);
  assert_int_equal(ID("name", "second"), -ZL_E_INVALID);
  assert_non_null(strstr(err.msg, "'second'"));
  assert_int_equal(ID("--", "-name"), 0);
  assert_string_equal(id, "-name");
}

static void preserved_descriptors(void **state)
{
  int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

  (void)state;
  assert_int_equal(dup2(fd, 3), 3);
  assert_int_equal(oci_check_preserved(0, &err), 0);
  assert_int_equal(oci_check_preserved(1, &err), 0);
  (void)close(4);
  assert_int_equal(oci_check_preserved(2, &err), 0);
  assert_true(fcntl(4, F_GETFD) >= 0); /* no file of ours takes a number of the caller's */
  assert_int_equal(oci_check_preserved(-1, &err), -ZL_E_INVALID);
  assert_int_equal(oci_check_preserved(1 << 20, &err), -ZL_E_INVALID);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(values_are_taken),
    cmocka_unit_test(nothing_is_changed_when_not_given),
    cmocka_unit_test(letters_join),
    cmocka_unit_test(flags_have_values_as_in_go),
    cmocka_unit_test(the_last_one_counts),
    cmocka_unit_test(two_dashes_end_the_options),
    cmocka_unit_test(what_is_wrong_is_named),
    cmocka_unit_test(refused_ones_say_why),
    cmocka_unit_test(a_refused_flag_may_be_off),
    cmocka_unit_test(bytes_have_units),
    cmocka_unit_test(one_id_anywhere),
    cmocka_unit_test(preserved_descriptors),
  };
  int r = cmocka_run_group_tests_name("oci-options", tests, NULL, NULL);

  zl_strv_free(v.list);
  return r;
}
