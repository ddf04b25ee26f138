/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/vm/apart.h"

#include <pthread.h>
#include <signal.h>

struct work {
  int (*fn)(void *ctx, struct zl_error *err);
  void *ctx;
  struct zl_error err;
  int r;
};

static void *run(void *arg)
{
  struct work *work = arg;

  work->r = work->fn(work->ctx, &work->err);
  return NULL;
}

int zl_vm_apart(int (*fn)(void *ctx, struct zl_error *err), void *ctx, struct zl_error *err)
{
  struct work work = { .fn = fn, .ctx = ctx };
  sigset_t all, old;
  pthread_t thread;
  int os_error;

  /* The program's signals stay with the program's threads. */
  (void)sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, &old);
  os_error = pthread_create(&thread, NULL, run, &work);
  (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
  if (os_error != 0)
    return zl_fail(err, ZL_E_SYSTEM, os_error, "starting a thread");
  (void)pthread_join(thread, NULL);
  if (work.r < 0 && err != NULL)
    *err = work.err;
  return work.r;
}
