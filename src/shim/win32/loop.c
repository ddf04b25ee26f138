/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/win32/loop.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/thread.h"
#include "base/time.h"
#include "shim/loop.h"

#define IDLE (200 * ZL_NS_PER_MS)

struct call {
  struct call *next;
  loop_fn fn;
  void *ctx;
  bool *done; /* of somebody who waits; NULL */
};

/* A process is one shim. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t posted; /* made by loop_open */
static pthread_cond_t made = PTHREAD_COND_INITIALIZER;
static struct call *first, **last = &first;
static struct {
  uint64_t at_ns;
  loop_fn fn;
  void *ctx;
} timer;

static bool post(loop_fn fn, void *ctx, bool *done)
{
  struct call *call = malloc(sizeof(*call));

  if (call == NULL)
    return false;
  *call = (struct call){ .fn = fn, .ctx = ctx, .done = done };
  (void)pthread_mutex_lock(&lock);
  *last = call;
  last = &call->next;
  (void)pthread_cond_signal(&posted);
  (void)pthread_mutex_unlock(&lock);
  return true;
}

void loop_post(loop_fn fn, void *ctx)
{
  const struct timespec retry = { .tv_nsec = 10 * (long)ZL_NS_PER_MS };

  while (!post(fn, ctx, NULL))
    (void)nanosleep(&retry, NULL);
}

bool loop_call(loop_fn fn, void *ctx)
{
  bool done = false;

  if (!post(fn, ctx, &done))
    return false;
  (void)pthread_mutex_lock(&lock);
  while (!done)
    (void)pthread_cond_wait(&made, &lock);
  (void)pthread_mutex_unlock(&lock);
  return true;
}

void loop_at(uint64_t at_ns, loop_fn fn, void *ctx)
{
  timer.at_ns = at_ns;
  timer.fn = fn;
  timer.ctx = ctx;
}

static struct call *take(void)
{
  struct call *call = first;

  if (call == NULL)
    return NULL;
  first = call->next;
  if (first == NULL)
    last = &first;
  return call;
}

static bool is_due(void)
{
  return timer.at_ns != 0 && zl_time_boot() >= timer.at_ns;
}

/* How long nothing has to be done. Waits leave out the machine's sleep, so none is for ever. */
static uint32_t patience_ms(const struct loop *loop)
{
  uint64_t now = zl_time_boot(), wait = loop->was_idle ? 10 * ZL_NS_PER_S : IDLE;

  if (timer.at_ns != 0 && timer.at_ns <= now)
    return 0;
  if (timer.at_ns != 0 && timer.at_ns - now < wait)
    wait = timer.at_ns - now;
  return (uint32_t)((wait + ZL_NS_PER_MS - 1) / ZL_NS_PER_MS);
}

static struct call *next_call(const struct loop *loop)
{
  struct call *call;

  (void)pthread_mutex_lock(&lock);
  if (first == NULL)
    zl_cond_wait_ms(&posted, &lock, patience_ms(loop));
  call = take();
  (void)pthread_mutex_unlock(&lock);
  return call;
}

static void make(struct call *call)
{
  call->fn(call->ctx);
  (void)pthread_mutex_lock(&lock);
  if (call->done != NULL) {
    *call->done = true;
    (void)pthread_cond_broadcast(&made);
  }
  (void)pthread_mutex_unlock(&lock);
  free(call);
}

int loop_open(struct loop *loop, struct zl_error *err)
{
  (void)err;
  zl_cond_init(&posted);
  loop->epoll_fd = 0; /* it is open */
  return 0;
}

int loop_turn(struct loop *loop, struct zl_error *err)
{
  struct call *call = next_call(loop);

  (void)err;
  if (call == NULL && !loop->was_idle && loop->idle != NULL)
    loop->idle();
  loop->was_idle = call == NULL;
  if (call != NULL)
    make(call);
  if (is_due()) {
    timer.at_ns = 0;
    timer.fn(timer.ctx);
  }
  return 0;
}

/* ---- Threads ---- */

struct work {
  loop_fn fn, done;
  void *ctx;
};

static void *work(void *arg)
{
  struct work w = *(struct work *)arg;

  free(arg);
  w.fn(w.ctx);
  loop_post(w.done, w.ctx);
  return NULL;
}

int loop_work(loop_fn fn, loop_fn done, void *ctx, struct zl_error *err)
{
  struct work *w = malloc(sizeof(*w));

  if (w != NULL)
    *w = (struct work){ .fn = fn, .done = done, .ctx = ctx };
  if (w != NULL && zl_thread_release(work, w) == 0)
    return 0;
  free(w);
  return zl_fail(err, ZL_E_SYSTEM, 0, "no thread could be started");
}
