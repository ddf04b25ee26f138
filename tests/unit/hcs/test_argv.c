/* SPDX-License-Identifier: Apache-2.0
 *
 * Command lines, read back by two readers written after Microsoft's rules: that of the C runtime
 * ("Parsing C command-line arguments") and that of CommandLineToArgvW, which differ in the
 * program's name and in doubled quotes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/strv.h"
#include "runtime/hcs/argv.h"

enum {
  MAX_ARGS = 64,
  MAX_TEXT = 4096,
  ROUNDS = 10000
};

/* ---- Readers ---- */

struct args {
  char text[2 * MAX_TEXT];
  size_t used;
  const char *v[MAX_ARGS];
  size_t count;
};

static void begin(struct args *a)
{
  assert_true(a->count < MAX_ARGS);
  a->v[a->count++] = a->text + a->used;
}

static void add(struct args *a, char c)
{
  assert_true(a->used < sizeof(a->text));
  a->text[a->used++] = c;
}

static bool is_blank(char c)
{
  return c == ' ' || c == '\t';
}

/* The program's name: quotes group and vanish, backslashes are themselves. The C runtime knows
 * quotes anywhere in it; CommandLineToArgvW one pair around all of it, and any control character
 * ends it. */
static const char *read_program(struct args *a, const char *p, bool shell)
{
  bool quoted = false;

  begin(a);
  if (shell && *p == '"') {
    for (p++; *p != '\0' && *p != '"'; p++)
      add(a, *p);
    p += *p == '"' ? 1 : 0;
  } else if (shell) {
    for (; (unsigned char)*p > ' '; p++)
      add(a, *p);
  } else {
    for (; *p != '\0' && (quoted || !is_blank(*p)); p++)
      if (*p == '"')
        quoted = !quoted;
      else
        add(a, *p);
  }
  add(a, '\0');
  return p;
}

/* 2n backslashes and a quote: n backslashes, and the quote opens or closes. 2n + 1 and a quote: n
 * backslashes and the quote itself. Others: themselves. Of two quotes within quotes the C runtime
 * makes one and stays within; CommandLineToArgvW makes one and leaves. */
static const char *read_argument(struct args *a, const char *p, bool shell)
{
  bool quoted = false;

  begin(a);
  while (*p != '\0' && (quoted || !is_blank(*p))) {
    size_t slashes = strspn(p, "\\");

    p += slashes;
    for (size_t i = 0; i < (*p == '"' ? slashes / 2 : slashes); i++)
      add(a, '\\');
    if (*p != '"') {
      if (slashes == 0)
        add(a, *p++);
      continue;
    }
    if (slashes % 2 != 0) {
      add(a, '"');
    } else if (quoted && p[1] == '"') {
      add(a, '"');
      quoted = !shell;
      p++;
    } else {
      quoted = !quoted;
    }
    p++;
  }
  add(a, '\0');
  return p;
}

static void parse(const char *line, bool shell, struct args *a)
{
  const char *p = line;

  *a = (struct args){ .used = 0 };
  p = read_program(a, p, shell);
  for (;;) {
    while (is_blank(*p))
      p++;
    if (*p == '\0')
      return;
    p = read_argument(a, p, shell);
  }
}

/* ---- The readers themselves ---- */

static void the_documented_examples(void **state)
{
  static const struct {
    const char *rest; /* after the program's name */
    const char *v[4];
  } rows[] = {
    { "\"abc\" d e", { "abc", "d", "e" } },
    { "\"a b c\" d e", { "a b c", "d", "e" } },
    { "\"ab\\\"c\" \"\\\\\" d", { "ab\"c", "\\", "d" } },
    { "a\\\\\\b d\"e f\"g h", { "a\\\\\\b", "de fg", "h" } },
    { "a\\\\\\\"b c d", { "a\\\"b", "c", "d" } },
    { "a\\\\\\\\\"b c\" d e", { "a\\\\b c", "d", "e" } },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(rows); i++)
    for (int shell = 0; shell < 2; shell++) {
      char line[MAX_TEXT];
      struct args a;

      (void)snprintf(line, sizeof(line), "x.exe %s", rows[i].rest);
      parse(line, shell, &a);
      assert_int_equal(a.count, 4);
      assert_string_equal(a.v[0], "x.exe");
      for (size_t j = 0; j < 3; j++)
        assert_string_equal(a.v[j + 1], rows[i].v[j]);
    }
}

static void where_the_readers_differ(void **state)
{
  struct args a;

  (void)state;
  parse("x \"a\"\" b\" c", false, &a); /* the C runtime */
  assert_int_equal(a.count, 3);
  assert_string_equal(a.v[1], "a\" b");
  parse("x \"a\"\" b\" c", true, &a); /* CommandLineToArgvW */
  assert_string_equal(a.v[1], "a\"");
  parse("c:\\\"my dir\"\\x.exe", false, &a);
  assert_string_equal(a.v[0], "c:\\my dir\\x.exe");
}

/* ---- What is written ---- */

#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void exact_lines(void **state)
{
  static const struct {
    const char *v[6];
    const char *line;
  } rows[] = {
    { { "cmd" }, "cmd" },
    { { "cmd", "/c", "echo", "hello from hyperv" }, "cmd /c echo \"hello from hyperv\"" },
    { { "cmd", "/c", "ping", "-n", "60" }, "cmd /c ping -n 60" },
    { { "C:\\Program Files\\app\\a.exe", "x" }, "\"C:\\Program Files\\app\\a.exe\" x" },
    /* Backslashes at the end of a quoted program's name are themselves. */
    { { "C:\\my dir\\", "x" }, "\"C:\\my dir\\\" x" },
    { { "a", "" }, "a \"\"" },
    { { "a", "b\\" }, "a b\\" },
    { { "a", "b c\\" }, "a \"b c\\\\\"" },
    { { "a", "b c\\\\" }, "a \"b c\\\\\\\\\"" },
    { { "a", "\"" }, "a \"\\\"\"" },
    { { "a", "\\\"" }, "a \"\\\\\\\"\"" },
    { { "a", "b\\c\"d" }, "a \"b\\c\\\"d\"" },
    { { "a", "b\tc" }, "a \"b\tc\"" },
    { { "a", "\\\\server\\share" }, "a \\\\server\\share" },
    /* No shell reads it: what cmd.exe escapes with ^ stays. */
    { { "a", "b^c", "%PATH%", "x&y|z", "(a)" }, "a b^c %PATH% x&y|z (a)" },
    { { "a", "--name=\xc3\xa4 \xe2\x82\xac" }, "a \"--name=\xc3\xa4 \xe2\x82\xac\"" },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(rows); i++) {
    zl_autofree char *line = NULL;

    assert_int_equal(zl_win_command_line(rows[i].v, "command", &line, NULL), 0);
    assert_string_equal(line, rows[i].line);
  }
}

static void refusals(void **state)
{
  static const struct {
    const char *v[3];
    int r;
    const char *says;
  } rows[] = {
    { { NULL }, -ZL_E_INVALID, "services.a.command: no command" },
    { { "" }, -ZL_E_INVALID, "services.a.command: the program's name is empty" },
    { { "a\"b" }, -ZL_E_INVALID, "services.a.command: the program's name 'a\"b' has a quote" },
    { { "a", "\xff" }, -ZL_E_INVALID, "services.a.command: not UTF-8" },
    { { "a", "\xc0\xaf" }, -ZL_E_INVALID, "not UTF-8" },     /* an overlong "/" */
    { { "a", "\xed\xa0\x80" }, -ZL_E_INVALID, "not UTF-8" }, /* half a surrogate pair */
    { { "a", "\xf4\x90\x80\x80" }, -ZL_E_INVALID, "not UTF-8" },
    { { "a", "\xe2\x82" }, -ZL_E_INVALID, "not UTF-8" },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(rows); i++) {
    struct zl_error err = { 0 };
    char *line = NULL;

    assert_int_equal(zl_win_command_line(rows[i].v, "services.a.command", &line, &err), rows[i].r);
    assert_non_null(strstr(err.msg, rows[i].says));
    assert_null(line);
  }
  assert_int_equal(zl_win_command_line(NULL, "x", &(char *){ NULL }, NULL), -ZL_E_INVALID);
}

/* `length` times `text`, after "a ". */
static int line_of(size_t length, const char *text, char **ret, struct zl_error *err)
{
  zl_autobuf word = ZL_BUF_INIT((size_t)1 << 20);

  for (size_t i = 0; i < length; i++)
    assert_int_equal(zl_buf_puts(&word, text, NULL), 0);
  return zl_win_command_line(LIST("a", word.data), "services.a.command", ret, err);
}

/* 32767 units with the NUL: 32766, of which "a " takes two. */
static void the_longest_line(void **state)
{
  static const struct {
    const char *text;
    size_t fits;
  } rows[] = { { "x", 32764 }, { "\xe2\x82\xac", 32764 }, { "\xf0\x9f\x98\x80", 16382 } };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(rows); i++) {
    zl_autofree char *line = NULL;
    char *none = NULL;
    struct zl_error err = { 0 };

    assert_int_equal(line_of(rows[i].fits, rows[i].text, &line, NULL), 0);
    assert_int_equal(line_of(rows[i].fits + 1, rows[i].text, &none, &err), -ZL_E_LIMIT);
    assert_non_null(strstr(err.msg, "services.a.command: a command line of"));
    assert_int_equal(line_of(200000, rows[i].text, &none, &err), -ZL_E_LIMIT);
    assert_non_null(strstr(err.msg, "32766"));
    assert_null(none);
  }
}

/* ---- Round trips ---- */

static uint64_t seed;

static unsigned draw(unsigned below)
{
  seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (unsigned)(seed >> 33) % below;
}

/* Rich in what the rules are about. */
static void draw_text(char *text, size_t max, bool program)
{
  static const char *const pieces[] = {
    "\\", "\\\\", " ",  "\t",  "a", "B7", "^", "%x%", "&", "\xc3\xa9", "\xf0\x9f\x98\x80",
    "'",  "/",    "\"", "\"\""
  };
  size_t n = draw(9), len = 0;

  text[0] = '\0';
  for (size_t i = 0; i < n || (program && len == 0); i++) {
    const char *piece = pieces[draw((unsigned)ZL_COUNT(pieces) - (program ? 2 : 0))];

    if (len + strlen(piece) >= max)
      break;
    len += (size_t)snprintf(text + len, max - len, "%s", piece);
  }
}

static void check_round_trip(const char *const *v, size_t count)
{
  zl_autofree char *line = NULL;

  assert_int_equal(zl_win_command_line(v, "command", &line, NULL), 0);
  for (int shell = 0; shell < 2; shell++) {
    struct args a;

    parse(line, shell, &a);
    assert_int_equal(a.count, count);
    for (size_t i = 0; i < count; i++)
      assert_string_equal(a.v[i], v[i]);
  }
}

static void random_vectors_come_back(void **state)
{
  const char *given = getenv("ZL_TEST_SEED");
  uint64_t start = 20261129;

  (void)state;
  if (given != NULL)
    assert_true(zl_parse_u64(given, UINT64_MAX, &start));
  print_message("seed %llu\n", (unsigned long long)start);
  seed = start;
  for (unsigned round = 0; round < ROUNDS; round++) {
    char text[8][64];
    const char *v[9] = { NULL };
    size_t count = 1 + draw(8);

    for (size_t i = 0; i < count; i++) {
      draw_text(text[i], sizeof(text[i]), i == 0);
      v[i] = text[i];
    }
    check_round_trip(v, count);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_documented_examples),
    cmocka_unit_test(where_the_readers_differ),
    cmocka_unit_test(exact_lines),
    cmocka_unit_test(refusals),
    cmocka_unit_test(the_longest_line),
    cmocka_unit_test(random_vectors_come_back),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
