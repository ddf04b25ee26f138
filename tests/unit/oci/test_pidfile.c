/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "oci/pidfile.h"

static char top[] = "/tmp/zl-oci-pidfile-XXXXXX";

static void expect(const char *path, const char *expected)
{
  zl_autobuf text = ZL_BUF_INIT(64);

  assert_int_equal(zl_file_read(AT_FDCWD, path, &text, NULL), 0);
  assert_string_equal(text.data, expected);
}

static void is_the_number_alone(void **state)
{
  struct stat st;

  (void)state;
  assert_int_equal(oci_pidfile_write("pid", 42, NULL), 0);
  expect("pid", "42");
  assert_int_equal(stat("pid", &st), 0);
  assert_int_equal(st.st_mode & 0777, 0644);
  assert_int_equal(oci_pidfile_write("pid", 4194304, NULL), 0);
  expect("pid", "4194304");
}

static void has_a_path(void **state)
{
  char path[64];

  (void)state;
  (void)snprintf(path, sizeof(path), "%s/absolute", top);
  assert_int_equal(oci_pidfile_write(path, 1, NULL), 0);
  expect(path, "1");
  assert_int_equal(mkdir("below", 0755), 0);
  assert_int_equal(oci_pidfile_write("below/pid", 2, NULL), 0);
  expect("below/pid", "2");
  assert_int_equal(oci_pidfile_write("./below/../pid", 3, NULL), 0);
  expect("pid", "3");
}

/* The name is replaced, not written through: a link planted there leads nowhere. */
static void replaces_a_link(void **state)
{
  struct stat st;

  (void)state;
  assert_int_equal(oci_pidfile_write("victim", 7, NULL), 0);
  assert_int_equal(symlink("victim", "link"), 0);
  assert_int_equal(oci_pidfile_write("link", 8, NULL), 0);
  expect("victim", "7");
  expect("link", "8");
  assert_int_equal(lstat("link", &st), 0);
  assert_true(S_ISREG(st.st_mode));
}

static void failures_name_it(void **state)
{
  struct zl_error err = { 0 };

  (void)state;
  assert_true(oci_pidfile_write("missing/pid", 1, &err) < 0);
  assert_non_null(strstr(err.msg, "--pid-file 'missing/pid'"));
  assert_true(oci_pidfile_write("below", 1, &err) < 0);
  assert_true(oci_pidfile_write("below/", 1, &err) < 0);
  assert_true(oci_pidfile_write("", 1, &err) < 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(is_the_number_alone),
    cmocka_unit_test(has_a_path),
    cmocka_unit_test(replaces_a_link),
    cmocka_unit_test(failures_name_it),
  };
  int r;

  if (mkdtemp(top) == NULL || chdir(top) < 0)
    return 1;
  r = cmocka_run_group_tests_name("oci-pidfile", tests, NULL, NULL);
  (void)unlink("pid");
  (void)unlink("absolute");
  (void)unlink("below/pid");
  (void)rmdir("below");
  (void)unlink("victim");
  (void)unlink("link");
  /* Nothing else may be left, temporary files least of all. */
  return rmdir(top) < 0 ? 1 : r;
}
