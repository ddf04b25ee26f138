/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/proc.h"
#include "scratch.h"
#include "store/store.h"

static const char *self; /* this program */

static int box_new(void **state)
{
  static struct scratch box;

  scratch_make(&box, "/tmp", "store");
  *state = &box;
  return 0;
}

static int box_free(void **state)
{
  scratch_remove(*state);
  return 0;
}

static int count_row(void *ctx, const struct zl_row *row, struct zl_error *err)
{
  (void)err;
  *(int *)ctx += (int)zl_row_int(row, 0);
  return 0;
}

static int count(struct zl_store *store)
{
  int n = 0;

  assert_int_equal(zl_store_query(store, count_row, &n, NULL, "SELECT count(*) FROM volumes", ""),
                   0);
  return n;
}

static void transactions_are_all_or_nothing(void **state)
{
  struct scratch *box = *state;
  ZL_CLEANUP(zl_store_closep) struct zl_store *store = NULL;
  struct zl_error err = { 0 };
  const char *sql = "INSERT INTO volumes VALUES (?, ?)";

  assert_int_equal(zl_store_open(box->fd, box->path, &store, &err), 0);
  assert_int_equal(zl_store_begin(store, &err), 0);
  assert_int_equal(zl_store_run(store, &err, sql, "si", "a", INT64_C(1)), 0);
  zl_store_rollback(store);
  assert_int_equal(count(store), 0);
  assert_int_equal(zl_store_begin(store, &err), 0);
  assert_int_equal(zl_store_run(store, &err, sql, "si", "a", INT64_C(1)), 0);
  assert_int_equal(zl_store_commit(store, &err), 0);
  assert_int_equal(count(store), 1);
  assert_int_equal(zl_store_run(store, &err, sql, "si", "a", INT64_C(1)), -ZL_E_STORE);
  assert_int_equal(zl_store_run(store, &err, sql, "sx", "a", INT64_C(1)), -ZL_E_INTERNAL);
}

/* This program with a directory as its argument: writes, and is killed in a transaction. */
static int writer_main(const char *path)
{
  ZL_CLEANUP(zl_store_closep) struct zl_store *store = NULL;
  zl_autofd fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (zl_store_open(fd, path, &store, NULL) == 0 && zl_store_begin(store, NULL) == 0 &&
      zl_store_run(store, NULL, "INSERT INTO volumes VALUES ('kept', 1)", "") == 0 &&
      zl_store_commit(store, NULL) == 0 && zl_store_begin(store, NULL) == 0)
    (void)zl_store_run(store, NULL, "INSERT INTO volumes VALUES ('lost', 1)", "");
  zl_proc_die();
}

static void content_survives_a_killed_writer(void **state)
{
  struct scratch *box = *state;
  ZL_CLEANUP(zl_store_closep) struct zl_store *store = NULL;
  const char *const argv[] = { self, box->path, NULL };
  const struct zl_proc_options writer = { .path = self, .exec_fd = -1, .argv = argv };
  struct zl_proc proc = { .pidfd = -1 };
  int status;

  assert_int_equal(zl_proc_spawn(&writer, &proc, NULL), 0);
  assert_int_equal(zl_proc_wait(&proc, &status, NULL), 0);
  assert_int_equal(zl_store_open(box->fd, box->path, &store, NULL), 0);
  assert_int_equal(count(store), 1);
}

static void a_damaged_file_is_set_aside(void **state)
{
  struct scratch *box = *state;
  ZL_CLEANUP(zl_store_closep) struct zl_store *store = NULL;
  struct zl_error err = { 0 };
  char junk[8192];

  memset(junk, 'j', sizeof(junk));
  assert_int_equal(zl_file_replace(box->fd, "zlayer.db", junk, sizeof(junk), 0600, false, &err), 0);
  assert_int_equal(zl_store_open(box->fd, box->path, &store, &err), 0);
  assert_int_equal(count(store), 0);
}

static void a_newer_schema_is_refused(void **state)
{
  struct scratch *box = *state;
  ZL_CLEANUP(zl_store_closep) struct zl_store *store = NULL;
  struct zl_error err = { 0 };

  assert_int_equal(zl_store_open(box->fd, box->path, &store, &err), 0);
  assert_int_equal(zl_store_run(store, &err, "PRAGMA user_version=99", ""), 0);
  zl_store_close(zl_steal_ptr(&store));
  assert_int_equal(zl_store_open(box->fd, box->path, &store, &err), -ZL_E_STORE);
  assert_non_null(strstr(err.msg, "schema version 99"));
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(transactions_are_all_or_nothing, box_new, box_free),
    cmocka_unit_test_setup_teardown(content_survives_a_killed_writer, box_new, box_free),
    cmocka_unit_test_setup_teardown(a_damaged_file_is_set_aside, box_new, box_free),
    cmocka_unit_test_setup_teardown(a_newer_schema_is_refused, box_new, box_free),
  };

  if (argc > 1)
    return writer_main(argv[1]);
  self = argv[0];
  return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
