/* SPDX-License-Identifier: Apache-2.0 */
#include "image/write_behind.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/thread.h"
#include "base/time.h"

enum {
  THREAD_STACK = 64 << 10,
  /* Blocks of directories and inodes that change again are written again: not too often. A slow
   * disk rests as long as it was busy. */
  PAUSE_MS = 200
};

struct zl_write_behind {
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t closed;
  int fd;
  bool wrote, closing;
};

/* False: the end. */
static bool pause_for(struct zl_write_behind *b, uint64_t ns)
{
  struct timespec until;
  bool go_on;

  (void)clock_gettime(CLOCK_MONOTONIC, &until);
  ns += (uint64_t)until.tv_nsec;
  until.tv_sec += (time_t)(ns / ZL_NS_PER_S);
  until.tv_nsec = (long)(ns % ZL_NS_PER_S);
  (void)pthread_mutex_lock(&b->lock);
  while (!b->closing && pthread_cond_timedwait(&b->closed, &b->lock, &until) == 0)
    continue;
  go_on = !b->closing;
  (void)pthread_mutex_unlock(&b->lock);
  return go_on;
}

static bool take_wrote(struct zl_write_behind *b)
{
  bool wrote;

  (void)pthread_mutex_lock(&b->lock);
  wrote = b->wrote;
  b->wrote = false;
  (void)pthread_mutex_unlock(&b->lock);
  return wrote;
}

static void *flushing_thread(void *arg)
{
  const uint64_t least = PAUSE_MS * ZL_NS_PER_MS;
  struct zl_write_behind *b = arg;
  uint64_t took = 0;

  while (pause_for(b, took > least ? took : least)) {
    uint64_t start = zl_time_boot();

    took = 0;
    if (!take_wrote(b))
      continue;
    (void)syncfs(b->fd); /* the one at the end reports what fails */
    took = zl_time_boot() - start;
  }
  return NULL;
}

static void destroy(struct zl_write_behind *b)
{
  (void)pthread_cond_destroy(&b->closed);
  (void)pthread_mutex_destroy(&b->lock);
  free(b);
}

struct zl_write_behind *zl_write_behind_new(int fd)
{
  struct zl_write_behind *b = calloc(1, sizeof(*b));
  pthread_condattr_t clock;

  if (b == NULL)
    return NULL;
  b->fd = fd;
  (void)pthread_mutex_init(&b->lock, NULL);
  (void)pthread_condattr_init(&clock);
  (void)pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
  (void)pthread_cond_init(&b->closed, &clock);
  (void)pthread_condattr_destroy(&clock);
  if (zl_thread_start(&b->thread, THREAD_STACK, flushing_thread, b) == 0)
    return b;
  destroy(b);
  return NULL;
}

void zl_write_behind_wrote(struct zl_write_behind *b)
{
  if (b == NULL)
    return;
  (void)pthread_mutex_lock(&b->lock);
  b->wrote = true;
  (void)pthread_mutex_unlock(&b->lock);
}

void zl_write_behind_free(struct zl_write_behind *b)
{
  if (b == NULL)
    return;
  (void)pthread_mutex_lock(&b->lock);
  b->closing = true;
  (void)pthread_cond_signal(&b->closed);
  (void)pthread_mutex_unlock(&b->lock);
  (void)pthread_join(b->thread, NULL);
  destroy(b);
}
