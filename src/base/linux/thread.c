/* SPDX-License-Identifier: Apache-2.0 */
#include "base/thread.h"

#include <time.h>

#include "base/time.h"

void zl_cond_init(pthread_cond_t *ret)
{
  pthread_condattr_t clock;

  (void)pthread_condattr_init(&clock);
  (void)pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
  (void)pthread_cond_init(ret, &clock);
  (void)pthread_condattr_destroy(&clock);
}

void zl_cond_wait_ms(pthread_cond_t *cond, pthread_mutex_t *lock, uint32_t wait_ms)
{
  struct timespec until;

  (void)clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += wait_ms / 1000;
  until.tv_nsec += (long)(wait_ms % 1000) * (long)ZL_NS_PER_MS;
  if (until.tv_nsec >= (long)ZL_NS_PER_S) {
    until.tv_nsec -= (long)ZL_NS_PER_S;
    until.tv_sec++;
  }
  (void)pthread_cond_timedwait(cond, lock, &until);
}
