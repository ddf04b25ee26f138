/* SPDX-License-Identifier: Apache-2.0
 *
 * The TOML reader by the rules of the specification, one case each.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "toml_dump.h"

static void reads(void **state)
{
  static const struct {
    const char *text, *json;
  } cases[] = {
    { "", "{}" },
    { "# only a comment", "{}" },
    { "a = 1\r\nb = 2 # c\n", "{\"a\":1,\"b\":2}" },
    { "a = true\nb=false", "{\"a\":true,\"b\":false}" },
    { "a = +7\nb = -0\nc = 1_000\nd = 0xDEAD_beef\ne = 0o17\nf = 0b1_0",
      "{\"a\":7,\"b\":-0,\"c\":1000,\"d\":3735928559,\"e\":15,\"f\":2}" },
    { "a = 1.5\nb = 1e3\nc = -inf\nd = nan", "{\"a\":1.5,\"b\":1e3,\"c\":-.inf,\"d\":.nan}" },
    { "a = \"\\b\\t\\n\\f\\r\\\"\\\\\\u00E9\\U0001F600\"",
      "{\"a\":\"\\u0008\\u0009\\u000a\\u000c\\u000d\\\"\\\\\xc3\xa9\xf0\x9f\x98\x80\"}" },
    { "a = 'C:\\no'", "{\"a\":\"C:\\\\no\"}" },
    { "a = \"\"\"\none\\\n   \n  two\n\"\"\"", "{\"a\":\"onetwo\\u000a\"}" },
    { "a = '''\r\n'one'\\'''", "{\"a\":\"'one'\\\\\"}" },
    { "a = \"\"\"\"x\"\"\"\"\"", "{\"a\":\"\\\"x\\\"\\\"\"}" },
    { "a = ''''''", "{\"a\":\"\"}" },
    { "\"a b\".'c.d' . e-_1 = 1", "{\"a b\":{\"c.d\":{\"e-_1\":1}}}" },
    { "\"\" = 1\n1.2 = 3", "{\"\":1,\"1\":{\"2\":3}}" },
    { "a = [ 1, 'x', [ ], {b = 2}, ]", "{\"a\":[1,\"x\",[],{\"b\":2}]}" },
    { "a = [ # c\n 1\n # d\n , 2 ]", "{\"a\":[1,2]}" },
    { "a = { b = 1, c.d = 2, c.e = { } }", "{\"a\":{\"b\":1,\"c\":{\"d\":2,\"e\":{}}}}" },
    { "[a]\nx=1\n[ b . c ]\ny=2\n[b]\nz=3", "{\"a\":{\"x\":1},\"b\":{\"c\":{\"y\":2},\"z\":3}}" },
    { "a.b = 1\na.c = 2\n[a.d]\ne = 3", "{\"a\":{\"b\":1,\"c\":2,\"d\":{\"e\":3}}}" },
    { "[[r]]\nx=1\n[[r.m]]\ny=1\n[[r.m]]\ny=2\n[[r]]\n[r.t]\nz=3",
      "{\"r\":[{\"x\":1,\"m\":[{\"y\":1},{\"y\":2}]},{\"t\":{\"z\":3}}]}" },
    { "server = \"https://a\"\n[host.\"https://b:5000/v2\"]\n  capabilities = [\"pull\"]\n"
      "  [host.\"https://b:5000/v2\".header]\n    x-a = [\"b\"]\n",
      "{\"server\":\"https://a\",\"host\":{\"https://b:5000/v2\":{\"capabilities\":[\"pull\"],"
      "\"header\":{\"x-a\":[\"b\"]}}}}" },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    struct zl_error err = { 0 };
    zl_autobuf out = ZL_BUF_INIT(1 << 16);

    if (dump_toml(cases[i].text, strlen(cases[i].text), &out, &err) < 0)
      fail_msg("'%s': %s", cases[i].text, err.msg);
    assert_string_equal(out.data, cases[i].json);
  }
}

static void refuses(void **state)
{
  static const struct {
    const char *text, *message; /* a part of it, with the position */
  } cases[] = {
    { "a", "f: expected '=' after a key, line 1, column 2" },
    { "a = ",
      "f: expected a value: a string in quotes, a number, true, false, [ or {, line 1, column 5" },
    { "a = 1 b = 2", "f: expected the end of the line, line 1, column 7" },
    { "= 1", "f: expected a key, line 1, column 1" },
    { "a.= 1", "expected a key" },
    { "a = 1\n\n  a = 2", "f: 'a' is there twice, line 3, column 3" },
    { "a.b = 1\na.b = 2", "f: 'b' is there twice, line 2, column 3" },
    { "a = 1\na.b = 2", "'a' is defined elsewhere" },
    { "a = {b = 1}\na.c = 2", "'a' is defined elsewhere" },
    { "a = {b = 1}\n[a.c]", "'a' is defined elsewhere" },
    { "a = {b.c = 1, b = 2}", "'b' is there twice" },
    { "[a]\n[a]", "f: 'a' is there twice, line 2, column 2" },
    { "a.b = 1\n[a]", "'a' is there twice" },
    { "[a.b]\nx=1\n[a]\nb.y = 2", "'b' is defined elsewhere" },
    { "[[a]]\n[a]", "'a' is there twice" },
    { "[a]\n[[a]]", "'a' is there already and is not an array of tables" },
    { "a = []\n[[a]]", "'a' is there already and is not an array of tables" },
    { "a = [{}]\n[a.b]", "'a' is defined elsewhere" },
    { "[a", "expected ']'" },
    { "[[a]", "expected ']]'" },
    { "[[a] ]", "expected ']]'" },
    { "[]", "expected a key" },
    { "[a] b = 1", "expected the end of the line" },
    { "a = \"x", "does not end on its line" },
    { "a = \"x\ny\"", "does not end on its line" },
    { "a = \"\"\"x\"\"", "a string does not end" },
    { "a = '''x", "a string does not end" },
    { "a = \"\\x41\"", "unknown escape" },
    { "a = \"\\u00\"", "cut short" },
    { "a = \"\\uD800\"", "names no character" },
    { "a = \"\\U00110000\"", "names no character" },
    { "a = \"\\u0000\"", "NUL" },
    { "a = \"x\001y\"", "control character" },
    { "# x\001", "control character" },
    { "a = 1\r", "expected the end of the line" },
    { "a = 01", "expected a value" },
    { "a = 1__0", "expected a value" },
    { "a = _1", "expected a value" },
    { "a = 1_", "expected a value" },
    { "a = 0x", "expected a value" },
    { "a = +0x1", "expected a value" },
    { "a = 0XFF", "expected a value" },
    { "a = 0x8000000000000000", "expected a value" },
    { "a = 1.", "expected a value" },
    { "a = .5", "expected a value" },
    { "a = 1e", "expected a value" },
    { "a = True", "expected a value" },
    { "a = truest", "expected a value" },
    { "a = yes", "expected a value" },
    { "a = 1979-05-27T07:32:00Z", "f: dates and times are not supported, line 1, column 5" },
    { "a = 07:32:00", "dates and times are not supported" },
    { "a = [1 2]", "expected ',' or ']'" },
    { "a = [1,,2]", "expected a value" },
    { "a = [1", "expected ',' or ']'" },
    { "a = {b = 1,}", "expected a key" },
    { "a = {b = 1\n}", "expected ',' or '}'" },
    { "a = {b 1}", "expected '='" },
    { "\"\"\"a\"\"\" = 1", "expected '='" },
    { "a = \"\xff\"", "f: not UTF-8, line 1, column 6" },
    { "a = \"\xed\xa0\x80\"", "not UTF-8" },
    { "a = \"\xc0\xaf\"", "not UTF-8" },
    { "\xef\xbb\xbf"
      "a = 1",
      "expected a key" },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    struct zl_error err = { 0 };
    zl_autobuf out = ZL_BUF_INIT(1 << 16);

    if (dump_toml(cases[i].text, strlen(cases[i].text), &out, &err) == 0)
      fail_msg("'%s' was read as %s", cases[i].text, out.data);
    if (strstr(err.msg, cases[i].message) == NULL)
      fail_msg("'%s': '%s', expected '%s'", cases[i].text, err.msg, cases[i].message);
  }
}

static void fails(const char *text, size_t len, const char *message)
{
  struct zl_error err = { 0 };
  zl_autobuf out = ZL_BUF_INIT(1 << 16);

  assert_int_not_equal(dump_toml(text, len, &out, &err), 0);
  assert_non_null(strstr(err.msg, message));
}

/* Without the NUL. */
static void put(char *at, const char *text)
{
  while (*text != '\0')
    *at++ = *text++;
}

static void is_bounded(void **state)
{
  enum {
    SIZE = ZL_MAX_TOML + 1
  };
  char *text = malloc(SIZE);

  (void)state;
  assert_non_null(text);
  memset(text, ' ', SIZE);
  fails(text, SIZE, "more than 1048576 bytes");
  memset(text, '[', 1000);
  put(text, "a=");
  fails(text, 1000, "nested more than 32 levels");
  for (size_t i = 0; i < 1000; i += 2)
    put(text + i, "a.");
  put(text + 999, "a=1");
  fails(text, 1002, "nested more than 32 levels");
  put(text, "a = [");
  for (size_t i = 5; i < 20000; i += 2)
    put(text + i, "1,");
  fails(text, 20001, "more than 4096 entries");
  for (size_t i = 0; i + 9 < 400000; i += 10)
    put(text + i, "[[a.a]]\n\n\n");
  fails(text, 400000, "more than");
  fails("a = 1\0b", 7, "a NUL character");
  free(text);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(reads),
    cmocka_unit_test(refuses),
    cmocka_unit_test(is_bounded),
  };

  return cmocka_run_group_tests_name("toml", tests, NULL, NULL);
}
