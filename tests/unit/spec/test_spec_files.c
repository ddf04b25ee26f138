/* SPDX-License-Identifier: Apache-2.0
 *
 * Deployment files. Each file below invalid/ begins with one line for each error that it must give,
 * no more and no fewer:
 *   # expect: PATH line LINE column COLUMN: part of the message
 * Each file below valid/ must be read, and survive writing and reading again in both formats.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <zlayer/spec.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/strv.h"

enum {
  MIN_INVALID = 60,
  MIN_VALID = 6
};

struct expectation {
  char path[256];
  unsigned line, column;
  char text[256];
};

static char *read_text(const char *path, size_t *ret_len)
{
  struct zl_buf text = ZL_BUF_INIT(ZL_MAX_SPEC_FILE);
  struct zl_error err = { 0 };

  assert_int_equal(zl_file_read(AT_FDCWD, path, &text, &err), 0);
  *ret_len = text.len;
  return zl_buf_steal(&text);
}

static size_t read_expectations(const char *text, struct expectation *ret, size_t max)
{
  size_t count = 0;

  while (zl_has_prefix(text, "# expect: ")) {
    struct expectation *e = &ret[count];

    assert_true(count < max);
    // NOLINTNEXTLINE(cert-err34-c): the tests' own files, and all four have to be there
    assert_int_equal(sscanf(text, "# expect: %255s line %u column %u: %255[^\n]", e->path, &e->line,
                            &e->column, e->text),
                     4);
    if (strcmp(e->path, "(file)") == 0)
      e->path[0] = '\0';
    count++;
    text = strchr(text, '\n');
    assert_non_null(text);
    text++;
  }
  return count;
}

static bool matches(const struct expectation *e, const struct zl_spec_error *error)
{
  return strcmp(e->path, error->path) == 0 && e->line == error->line &&
         e->column == error->column && strstr(error->message, e->text) != NULL;
}

static void print_errors(const char *name, const struct zl_spec_errors *errors)
{
  for (size_t i = 0; i < errors->count; i++) {
    zl_autofree char *text = zl_spec_error_text(&errors->items[i], name);

    print_message("  found: %s\n", text);
  }
}

static void check_invalid(const char *path, const char *name)
{
  struct expectation expected[16];
  struct zl_deployment *deployment = NULL;
  struct zl_spec_errors errors = { 0 };
  struct zl_error err = { 0 };
  size_t len, count;
  zl_autofree char *text = read_text(path, &len);
  zl_autofree char *first = NULL;
  int r;

  count = read_expectations(text, expected, ZL_COUNT(expected));
  assert_true(count > 0);
  r = zl_deployment_parse(text, len, name, &deployment, &errors, &err);
  assert_true(r < 0);
  assert_null(deployment);
  if (errors.count != count)
    print_errors(name, &errors);
  assert_int_equal(errors.count, count);
  for (size_t i = 0; i < count; i++) {
    if (!matches(&expected[i], &errors.items[i]))
      print_errors(name, &errors);
    assert_true(matches(&expected[i], &errors.items[i]));
  }
  first = zl_spec_error_text(&errors.items[0], name);
  assert_int_equal(strncmp(first, err.msg, ZL_ERROR_MSG_MAX - 1), 0);
  assert_int_equal(r, -(int)errors.items[0].code);
  zl_spec_errors_done(&errors);
}

static struct zl_deployment *parse(const char *text, size_t len, const char *name)
{
  struct zl_deployment *deployment = NULL;
  struct zl_spec_errors errors = { 0 };
  struct zl_error err = { 0 };
  int r = zl_deployment_parse(text, len, name, &deployment, &errors, &err);

  if (r < 0)
    print_errors(name, &errors);
  assert_int_equal(r, 0);
  assert_int_equal(errors.count, 0);
  zl_spec_errors_done(&errors);
  return deployment;
}

static char *render(const struct zl_deployment *deployment, enum zl_spec_format format)
{
  struct zl_error err = { 0 };
  char *text = NULL;

  assert_int_equal(zl_deployment_render(deployment, format, &text, &err), 0);
  return text;
}

static void check_valid(const char *path, const char *name)
{
  static const enum zl_spec_format formats[] = { ZL_SPEC_YAML, ZL_SPEC_JSON };
  size_t len;
  zl_autofree char *text = read_text(path, &len);
  struct zl_deployment *deployment = parse(text, len, name);
  zl_autofree char *canonical = render(deployment, ZL_SPEC_YAML);

  for (size_t i = 0; i < ZL_COUNT(formats); i++) {
    zl_autofree char *once = render(deployment, formats[i]);
    struct zl_deployment *again = parse(once, strlen(once), name);
    zl_autofree char *twice = render(again, formats[i]);
    zl_autofree char *yaml = render(again, ZL_SPEC_YAML);

    assert_string_equal(once, twice);
    assert_string_equal(canonical, yaml);
    zl_deployment_free(again);
  }
  zl_deployment_free(deployment);
}

static size_t walk(const char *folder, void (*check)(const char *path, const char *name))
{
  zl_autofree char *directory = zl_asprintf("%s/%s", ZL_TEST_DATA, folder);
  struct dirent **entries = NULL;
  int count = scandir(directory, &entries, NULL, alphasort);
  size_t checked = 0;

  assert_true(count >= 0);
  for (int i = 0; i < count; i++) {
    const char *dot = strrchr(entries[i]->d_name, '.');

    if (dot != NULL && strcmp(dot, ".yaml") == 0) {
      zl_autofree char *path = zl_asprintf("%s/%s", directory, entries[i]->d_name);

      print_message("%s/%s\n", folder, entries[i]->d_name);
      check(path, entries[i]->d_name);
      checked++;
    }
    free(entries[i]);
  }
  free(entries);
  return checked;
}

static void invalid_files_give_exactly_their_errors(void **state)
{
  (void)state;
  assert_true(walk("invalid", check_invalid) >= MIN_INVALID);
}

static void valid_files_survive_a_round_trip(void **state)
{
  (void)state;
  assert_true(walk("valid", check_valid) >= MIN_VALID);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(invalid_files_give_exactly_their_errors),
    cmocka_unit_test(valid_files_survive_a_round_trip),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
