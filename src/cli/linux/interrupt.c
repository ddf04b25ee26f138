/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/interrupt.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t interrupted;

static void interrupt(int signal)
{
  interrupted = signal;
}

/* The first signal ends the work in order, a second one the program. */
int zl_cli_interruptible(zl_interruptible_fn fn, void *ctx, struct zl_error *err)
{
  struct sigaction action = { .sa_handler = interrupt, .sa_flags = (int)SA_RESETHAND }, old[2];
  sigset_t both, mask;
  int r;

  (void)sigemptyset(&both);
  (void)sigaddset(&both, SIGINT);
  (void)sigaddset(&both, SIGTERM);
  interrupted = 0;
  (void)sigaction(SIGINT, &action, &old[0]);
  (void)sigaction(SIGTERM, &action, &old[1]);
  (void)pthread_sigmask(SIG_UNBLOCK, &both, &mask);
  r = fn(ctx, err);
  (void)pthread_sigmask(SIG_SETMASK, &mask, NULL);
  (void)sigaction(SIGINT, &old[0], NULL);
  (void)sigaction(SIGTERM, &old[1], NULL);
  return r;
}

bool zl_cli_is_interrupted(void)
{
  return interrupted != 0;
}
