/* SPDX-License-Identifier: Apache-2.0
 *
 * The threads of this C library know deadlines of the clock that people set only, but also waits
 * without a deadline.
 */
#include "base/thread.h"

#include <time.h>

#include "base/time.h"

void zl_cond_init(pthread_cond_t *ret)
{
  (void)pthread_cond_init(ret, NULL);
}

void zl_cond_wait_ms(pthread_cond_t *cond, pthread_mutex_t *lock, uint32_t wait_ms)
{
  const struct timespec wait = { .tv_sec = wait_ms / 1000,
                                 .tv_nsec = (long)(wait_ms % 1000) * (long)ZL_NS_PER_MS };

  (void)pthread_cond_timedwait_relative_np(cond, lock, &wait);
}
