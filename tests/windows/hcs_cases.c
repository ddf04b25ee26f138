/* SPDX-License-Identifier: Apache-2.0
 *
 * The three cases of the acceptance, in both isolations.
 */
#include "windows/hcs_box.h"

#include <pthread.h>

static void smoke(enum zl_isolation isolation, const char *what)
{
  struct zl_hcs_status status;
  struct seen seen = { "" };
  struct zl_hcs_instance *one = box_create("echo", "smoke-rep-1", isolation, &seen);

  TRY(zl_hcs_instance_start(one, err));
  TRY(box_wait(one, err));
  zl_hcs_instance_status(one, &status);
  if (!status.code_known)
    give_up(status.why, NULL);
  NEED(status.code == 0);
  NEED(strstr(seen.out, "hello from hyperv") != NULL);
  box_drop(one);
  box_check_clean(what);
}

static void run_hostname(struct zl_hcs_instance *one)
{
  zl_autojson *parameters = json_pack("{s:s, s:b, s:b}", "CommandLine", "cmd /c hostname",
                                      "CreateStdOutPipe", 1, "CreateStdErrPipe", 1);
  const struct zl_hcs_task_options options = { .parameters = parameters, .out = true, .err = true };
  struct zl_hcs_task *task = NULL;
  char out[256] = "";
  size_t len = 0;
  uint32_t code = 77;
  int got;

  TRY(zl_hcs_instance_exec(one, &options, &task, err));
  while (len < sizeof(out) - 1 &&
         (got = task->out.read(task->out.ctx, out + len, sizeof(out) - 1 - len, NULL)) > 0)
    len += (size_t)got;
  TRY(zl_hcs_task_wait(task, zl_time_boot() + 60 * ZL_NS_PER_S, &code, err));
  NEED(code == 0);
  NEED(len > 0);
  zl_hcs_instance_exec_close(one, task);
}

static void exec_inside(enum zl_isolation isolation, const char *what)
{
  struct zl_hcs_status status;
  struct seen seen = { "" };
  struct zl_hcs_instance *one = box_create("longlived", "exec-rep-1", isolation, &seen);

  TRY(zl_hcs_instance_start(one, err));
  run_hostname(one);
  zl_hcs_instance_status(one, &status);
  NEED(status.phase == ZL_HCS_RUNNING);
  TRY(zl_hcs_instance_stop(one, ZL_HCS_CTRL_SHUTDOWN, 5000, err));
  box_drop(one);
  box_check_clean(what);
}

static void *start(void *ctx)
{
  TRY(zl_hcs_instance_start(ctx, err));
  return NULL;
}

static void pair(enum zl_isolation isolation, const char *what)
{
  struct seen seen_a = { "" }, seen_b = { "" };
  struct zl_hcs_instance *a = box_create("longlived", "pair-a-rep-1", isolation, &seen_a);
  struct zl_hcs_instance *b = box_create("longlived", "pair-b-rep-1", isolation, &seen_b);
  struct zl_hcs_status status;
  pthread_t threads[2];

  NEED(pthread_create(&threads[0], NULL, start, a) == 0);
  NEED(pthread_create(&threads[1], NULL, start, b) == 0);
  NEED(pthread_join(threads[0], NULL) == 0 && pthread_join(threads[1], NULL) == 0);
  TRY(zl_hcs_instance_stop(a, ZL_HCS_CTRL_SHUTDOWN, 10000, err));
  box_drop(a);
  zl_hcs_instance_status(b, &status);
  NEED(status.phase == ZL_HCS_RUNNING);
  TRY(zl_hcs_instance_stop(b, ZL_HCS_CTRL_SHUTDOWN, 10000, err));
  box_drop(b);
  box_check_clean(what);
}

static void cases(enum zl_isolation isolation, const char *name)
{
  char what[100];

  (void)snprintf(what, sizeof(what), "%s: create, start, wait, remove", name);
  smoke(isolation, what);
  (void)snprintf(what, sizeof(what), "%s: exec, stop", name);
  exec_inside(isolation, what);
  (void)snprintf(what, sizeof(what), "%s: two at once", name);
  pair(isolation, what);
}

void run_cases(void)
{
  cases(HOST, "process");
  cases(GUEST, "hyperv");
}
