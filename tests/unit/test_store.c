/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "scratch.h"
#include "store/store.h"

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

static void content_survives_a_killed_writer(void **state)
{
  struct scratch *box = *state;
  ZL_CLEANUP(zl_store_closep) struct zl_store *store = NULL;
  pid_t pid = fork();
  int status;

  if (pid == 0) {
    if (zl_store_open(box->fd, box->path, &store, NULL) == 0 && zl_store_begin(store, NULL) == 0 &&
        zl_store_run(store, NULL, "INSERT INTO volumes VALUES ('kept', 1)", "") == 0 &&
        zl_store_commit(store, NULL) == 0 && zl_store_begin(store, NULL) == 0)
      (void)zl_store_run(store, NULL, "INSERT INTO volumes VALUES ('lost', 1)", "");
    (void)kill(getpid(), SIGKILL);
  }
  assert_int_equal(waitpid(pid, &status, 0), pid);
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

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(transactions_are_all_or_nothing, box_new, box_free),
    cmocka_unit_test_setup_teardown(content_survives_a_killed_writer, box_new, box_free),
    cmocka_unit_test_setup_teardown(a_damaged_file_is_set_aside, box_new, box_free),
    cmocka_unit_test_setup_teardown(a_newer_schema_is_refused, box_new, box_free),
  };

  return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
