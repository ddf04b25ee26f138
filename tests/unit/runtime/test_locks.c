/* SPDX-License-Identifier: Apache-2.0
 *
 * Operation locks: their files go with their containers, whoever is killed or looks too late.
 */
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "box.h"

enum {
  WORKERS = 8,
  ROUNDS = 400
};

static bool exists(const struct node *node, const char *id)
{
  return faccessat(node->rt->locks_fd, id, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* As a killed operation leaves it. */
static void leave_lock(const struct node *node, const char *id)
{
  zl_autofd lock = -1;

  assert_true(zl_node_try_lock(node->rt, id, &lock));
}

static void put_row(const struct node *node, const char *id, uint64_t created_at_ns)
{
  static char text[] = "x", config[] = "{}";
  zl_autofree char *name = strdup(id);
  const struct zl_record record = { .id = name,
                                    .name = name,
                                    .service = text,
                                    .role = text,
                                    .backend = text,
                                    .isolation = text,
                                    .image = text,
                                    .image_digest = text,
                                    .config = config,
                                    .boot_id = text,
                                    .created_at_ns = created_at_ns };

  assert_non_null(name);
  assert_int_equal(zl_store_begin(node->store, NULL), 0);
  assert_int_equal(zl_record_insert(node->store, &record, NULL), 0);
  assert_int_equal(zl_store_commit(node->store, NULL), 0);
}

/* ---- What the check clears away ---- */

struct found {
  char text[256];
};

static int note(void *payload, const struct zl_finding *finding)
{
  struct found *found = payload;
  size_t len = strlen(found->text);

  if (strcmp(finding->kind, "lock") == 0)
    (void)snprintf(found->text + len, sizeof(found->text) - len, "%s:%d ", finding->name,
                   finding->repaired);
  return 0;
}

static void check(const struct node *node, bool repair, const char *wanted)
{
  struct found found = { .text = "" };
  size_t left = 0;

  assert_int_equal(zl_system_check(node->rt, repair, note, &found, &left, NULL), 0);
  assert_string_equal(found.text, wanted);
}

static void a_killed_operations_lock_is_cleared_away(void **state)
{
  const struct node *node = *state;

  leave_lock(node, "dead-rep-1");
  leave_lock(node, ".events"); /* the node's own */
  check(node, false, "dead-rep-1:0 ");
  assert_true(exists(node, "dead-rep-1"));
  check(node, true, "dead-rep-1:1 ");
  assert_true(!exists(node, "dead-rep-1") && exists(node, ".events"));
  check(node, false, "");
}

static void a_lock_that_is_held_or_has_a_container_stays(void **state)
{
  const struct node *node = *state;
  zl_autofd lock = -1, dir = -1;

  put_row(node, "row-rep-1", 1);
  leave_lock(node, "row-rep-1");
  leave_lock(node, "dir-rep-1");
  dir = zl_path_open_dir(node->rt->containers_fd, "dir-rep-1", 0700);
  assert_true(dir >= 0);
  assert_true(zl_node_try_lock(node->rt, "busy-rep-1", &lock));
  assert_false(zl_node_is_stale_lock(node->rt, "row-rep-1", true));
  assert_false(zl_node_is_stale_lock(node->rt, "dir-rep-1", true));
  assert_false(zl_node_is_stale_lock(node->rt, "busy-rep-1", true));
  assert_false(zl_node_is_stale_lock(node->rt, "never-rep-1", true));
  assert_true(exists(node, "row-rep-1") && exists(node, "dir-rep-1") && exists(node, "busy-rep-1"));
  assert_true(!exists(node, "never-rep-1"));
}

/* ---- Who looks too late ---- */

static void a_late_look_makes_no_lock_file(void **state)
{
  const struct node *node = *state;
  zl_autorecord record = { 0 }, other = { 0 };
  zl_autofd lock = -1;

  put_row(node, "gone-rep-1", 1);
  assert_int_equal(zl_record_load(node->rt, "gone-rep-1", &record, NULL), 0);
  assert_true(zl_node_try_lock_of(node->rt, &record, &lock));
  zl_fd_closep(&lock);
  assert_int_equal(zl_record_delete(node->rt, "gone-rep-1", NULL), 0);
  zl_node_forget_lock(node->rt, "gone-rep-1");
  assert_false(zl_node_try_lock_of(node->rt, &record, &lock));
  assert_true(lock < 0 && !exists(node, "gone-rep-1"));
  /* Another of the same id is not the one that was looked at. */
  put_row(node, "gone-rep-1", 2);
  assert_int_equal(zl_record_load(node->rt, "gone-rep-1", &other, NULL), 0);
  assert_false(zl_node_try_lock_of(node->rt, &record, &lock));
  assert_true(lock < 0 && exists(node, "gone-rep-1"));
  assert_true(zl_node_try_lock_of(node->rt, &other, &lock));
}

/* ---- All at once ---- */

/* Each holder is alone: the directory made under the lock is never there already. */
static int work(const char *root, unsigned number)
{
  struct zl_runtime *rt = open_node(root);

  for (unsigned i = 0; i < ROUNDS; i++) {
    zl_autofd lock = -1;

    if (number % 2 == 0) {
      (void)zl_node_is_stale_lock(rt, "hot-rep-1", true);
      continue;
    }
    if (zl_node_lock(rt, "hot-rep-1", &lock, NULL) < 0 || mkdirat(rt->root_fd, "alone", 0700) < 0 ||
        unlinkat(rt->root_fd, "alone", AT_REMOVEDIR) < 0)
      return 1;
    if (i % 3 == 0)
      zl_node_forget_lock(rt, "hot-rep-1");
  }
  zl_runtime_close(rt);
  return 0;
}

static void clearing_away_keeps_locks_exclusive(void **state)
{
  const struct node *node = *state;
  pid_t pids[WORKERS];

  for (unsigned i = 0; i < WORKERS; i++) {
    pids[i] = fork();
    assert_true(pids[i] >= 0);
    if (pids[i] == 0)
      _exit(work(node->root, i));
  }
  for (unsigned i = 0; i < WORKERS; i++) {
    int status = 0;

    assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
    assert_int_equal(status, 0);
  }
  (void)zl_node_is_stale_lock(node->rt, "hot-rep-1", true);
  assert_true(!exists(node, "hot-rep-1"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup_node, teardown_node)

int main(void)
{
  const struct CMUnitTest cases[] = {
    CASE(a_killed_operations_lock_is_cleared_away),
    CASE(a_lock_that_is_held_or_has_a_container_stays),
    CASE(a_late_look_makes_no_lock_file),
    CASE(clearing_away_keeps_locks_exclusive),
  };

  return cmocka_run_group_tests(cases, NULL, NULL);
}
