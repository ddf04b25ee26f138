/* SPDX-License-Identifier: Apache-2.0
 *
 * The three cases that the isolation levels of every platform have to pass, with the isolation that
 * the backend stands for.
 */
#include <pthread.h>

#include "box.h"

static void expect_isolation(const char *wanted)
{
  struct zl_container_info *list = NULL;
  size_t n = 0;

  OK(zl_list(box.rt, &list, &n, &err));
  assert_int_equal(n, 1);
  assert_string_equal(list[0].isolation, wanted);
  zl_containers_free(list, n);
}

static void smoke_create_start_stop_remove(void **state)
{
  (void)state;
  box_create("smoke", ARGV(BIN "echo", "hello"));
  expect_isolation(box.machines ? "hyperv" : "process");
  OK(zl_start(box.rt, box_id("smoke"), &err));
  assert_int_equal(box_await("smoke", ZL_STATE_EXITED).outcome.exit_code, 0);
  OK(zl_remove(box.rt, box_id("smoke"), false, &err));
  FAILS(zl_container_state(box.rt, box_id("smoke"), &(struct zl_container_state){ 0 }, &err),
        ZL_E_NOT_FOUND);
}

static void exec_inside_a_running_container(void **state)
{
  struct zl_exec_result result = { 0 };

  (void)state;
  box_run("longlived", ARGV(BIN "sleep", "60"));
  (void)box_await("longlived", ZL_STATE_RUNNING);
  assert_int_equal(box_exec("longlived", ARGV(BIN "hostname"), &result), 0);
  assert_int_equal(result.exit_code, 0);
  assert_true(result.out_len > 0);
  zl_exec_result_done(&result);
  OK(zl_stop(box.rt, box_id("longlived"), 100, &err));
  OK(zl_remove(box.rt, box_id("longlived"), false, &err));
}

struct starter {
  const char *id;
  int r;
};

static void *start(void *arg)
{
  struct starter *starter = arg;

  starter->r = zl_start(box.rt, starter->id, NULL);
  return NULL;
}

/* What it has written is its own, and there as long as it runs. */
static void expect_disk_of(const char *name)
{
  struct zl_exec_result result = { 0 };

  if (!box.real || box.windows) /* the doubles run programs on one disk of all */
    return;
  assert_int_equal(box_exec(name, SH("cat /srv/whose"), &result), 0);
  assert_string_equal(result.out, name);
  zl_exec_result_done(&result);
}

static void write_on_disk_of(const char *name)
{
  struct zl_exec_result result = { 0 };
  char script[96];

  if (!box.real || box.windows) /* the doubles run programs on one disk of all */
    return;
  (void)snprintf(script, sizeof(script), "test ! -e /srv/whose && printf %s > /srv/whose", name);
  assert_int_equal(box_exec(name, SH(script), &result), 0);
  assert_int_equal(result.exit_code, 0);
  zl_exec_result_done(&result);
}

static void a_concurrent_pair_does_not_collide(void **state)
{
  struct starter pair[2];
  pthread_t threads[2];

  (void)state;
  box_create("pair-a", ARGV(BIN "sleep", "60"));
  box_create("pair-b", ARGV(BIN "sleep", "60"));
  pair[0] = (struct starter){ .id = box_id("pair-a") };
  pair[1] = (struct starter){ .id = box_id("pair-b") };
  for (int i = 0; i < 2; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, start, &pair[i]), 0);
  for (int i = 0; i < 2; i++) {
    (void)pthread_join(threads[i], NULL);
    assert_int_equal(pair[i].r, 0);
  }
  (void)box_await("pair-a", ZL_STATE_RUNNING);
  (void)box_await("pair-b", ZL_STATE_RUNNING);
  write_on_disk_of("pair-a");
  write_on_disk_of("pair-b");
  expect_disk_of("pair-a");
  OK(zl_stop(box.rt, box_id("pair-a"), 100, &err));
  OK(zl_remove(box.rt, box_id("pair-a"), false, &err));
  (void)box_await("pair-b", ZL_STATE_RUNNING);
  expect_disk_of("pair-b");
  OK(zl_stop(box.rt, box_id("pair-b"), 100, &err));
  OK(zl_remove(box.rt, box_id("pair-b"), false, &err));
}

int suite_acceptance(void)
{
  const struct CMUnitTest cases[] = {
    CASE(smoke_create_start_stop_remove),
    CASE(exec_inside_a_running_container),
    CASE(a_concurrent_pair_does_not_collide),
  };

  return cmocka_run_group_tests_name("acceptance", cases, NULL, NULL);
}
