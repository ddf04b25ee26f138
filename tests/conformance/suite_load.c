/* SPDX-License-Identifier: Apache-2.0
 *
 * Many times, many at once, many users of one root; and how long one lifecycle takes.
 */
#include <pthread.h>

#include "box.h"
#include "programs.h"

enum {
  LIFECYCLES = 50,
  LIFECYCLES_ON_WINDOWS = 20, /* where one takes a second or two under Wine */
  THREADS = 10,               /* fewer than the slice has addresses */
  ROUNDS = 2,
  PROGRAMS = 4
};

static int compare(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;

  return (x > y) - (x < y);
}

static void lifecycles_leave_nothing(void **state)
{
  static const char *const parts[] = { "create", "start", "wait", "remove", "sum" };
  const int n = box.windows ? LIFECYCLES_ON_WINDOWS : LIFECYCLES;
  double t[5][LIFECYCLES];

  (void)state;
  for (int i = 0; i < n; i++) {
    double at[5];

    at[0] = program_now_ms();
    box_create("cycle", ARGV(BIN "true"));
    at[1] = program_now_ms();
    OK(zl_start(box.rt, box_id("cycle"), &err));
    at[2] = program_now_ms();
    assert_int_equal(box_outcome("cycle").exit_code, 0);
    at[3] = program_now_ms();
    OK(zl_remove(box.rt, box_id("cycle"), false, &err));
    at[4] = program_now_ms();
    for (int k = 0; k < 4; k++)
      t[k][i] = at[k + 1] - at[k];
    t[4][i] = at[4] - at[0];
  }
  for (int k = 0; k < 5; k++) {
    qsort(t[k], (size_t)n, sizeof(double), compare);
    print_message("%s: %s median %.2f ms, p90 %.2f ms\n", box.backend, parts[k], t[k][n / 2],
                  t[k][n * 9 / 10]);
  }
}

struct worker {
  struct zl_runtime *rt;
  unsigned number;
  int r;
  struct zl_error err;
};

static void *work(void *arg)
{
  struct worker *w = arg;

  for (unsigned i = 0; w->r == 0 && i < ROUNDS; i++)
    w->r = role_live(w->rt, "crowd", w->number, &w->err);
  return NULL;
}

static void run_threads(struct zl_runtime *const *runtimes, unsigned count)
{
  struct worker workers[THREADS] = { 0 };
  pthread_t threads[THREADS];

  for (unsigned i = 0; i < count; i++) {
    workers[i].rt = runtimes[i];
    workers[i].number = i;
    assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
  }
  for (unsigned i = 0; i < count; i++)
    (void)pthread_join(threads[i], NULL);
  for (unsigned i = 0; i < count; i++)
    if (workers[i].r != 0)
      fail_msg("thread %u: %s", i, workers[i].err.msg);
}

static void threads_share_a_runtime(void **state)
{
  struct zl_runtime *runtimes[THREADS];

  (void)state;
  for (int i = 0; i < THREADS; i++)
    runtimes[i] = box.rt;
  run_threads(runtimes, THREADS);
}

static void runtimes_share_a_root(void **state)
{
  struct zl_runtime *runtimes[THREADS];

  (void)state;
  for (int i = 0; i < THREADS; i++)
    runtimes[i] = box_runtime();
  run_threads(runtimes, THREADS);
  for (int i = 0; i < THREADS; i++)
    zl_runtime_close(runtimes[i]);
}

static void programs_share_a_root(void **state)
{
  struct zl_proc programs[PROGRAMS];

  (void)state;
  for (unsigned i = 0; i < PROGRAMS; i++)
    programs[i] = program_start("live", i);
  for (unsigned i = 0; i < PROGRAMS; i++)
    program_finish(&programs[i]);
}

/* All want the same id: each succeeds in the end or is told of the conflict. */
static void *contend(void *arg)
{
  struct worker *w = arg;

  w->r = role_live(w->rt, "single", 1, &w->err);
  return NULL;
}

static void rivals_for_one_id_get_conflicts(void **state)
{
  struct worker workers[THREADS] = { 0 };
  pthread_t threads[THREADS];
  int winners = 0;

  (void)state;
  for (unsigned i = 0; i < THREADS; i++) {
    workers[i].rt = box.rt;
    assert_int_equal(pthread_create(&threads[i], NULL, contend, &workers[i]), 0);
  }
  for (unsigned i = 0; i < THREADS; i++)
    (void)pthread_join(threads[i], NULL);
  for (unsigned i = 0; i < THREADS; i++) {
    winners += workers[i].r == 0;
    if (workers[i].r != 0 && workers[i].r != -ZL_E_CONFLICT)
      fail_msg("thread %u: %s", i, workers[i].err.msg);
  }
  assert_true(winners >= 1);
}

int suite_load(void)
{
  const struct CMUnitTest cases[] = {
    CASE(lifecycles_leave_nothing),        CASE(threads_share_a_runtime),
    CASE(runtimes_share_a_root),           CASE(programs_share_a_root),
    CASE(rivals_for_one_id_get_conflicts),
  };

  return cmocka_run_group_tests_name("load", cases, NULL, NULL);
}
