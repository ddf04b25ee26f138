/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/early_flush.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

enum {
  THREAD_STACK = 64 << 10,
  FLUSH_EVERY = 16 << 20 /* what a disk takes some tenths of a second for; small layers never do */
};

struct zl_early_flush {
  int fd;
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  uint64_t dirty;
  bool closing;
};

/* What fails here fails again when the layer is published, and is reported then. */
static void *flushing_thread(void *arg)
{
  struct zl_early_flush *f = arg;

  (void)pthread_mutex_lock(&f->lock);
  while (!f->closing) {
    if (f->dirty < FLUSH_EVERY) {
      (void)pthread_cond_wait(&f->changed, &f->lock);
      continue;
    }
    f->dirty = 0;
    (void)pthread_mutex_unlock(&f->lock);
    (void)syncfs(f->fd);
    (void)pthread_mutex_lock(&f->lock);
  }
  (void)pthread_mutex_unlock(&f->lock);
  return NULL;
}

int zl_early_flush_new(int fd, struct zl_early_flush **ret, struct zl_error *err)
{
  struct zl_early_flush *f = calloc(1, sizeof(*f));
  pthread_attr_t attr;
  int os_error;

  if (f == NULL)
    return zl_fail_nomem(err, "flushing early");
  f->fd = fd;
  (void)pthread_mutex_init(&f->lock, NULL);
  (void)pthread_cond_init(&f->changed, NULL);
  (void)pthread_attr_init(&attr);
  (void)pthread_attr_setstacksize(&attr, THREAD_STACK);
  os_error = pthread_create(&f->thread, &attr, flushing_thread, f);
  (void)pthread_attr_destroy(&attr);
  if (os_error != 0) {
    free(f);
    return zl_fail(err, ZL_E_SYSTEM, os_error, "starting the flushing thread");
  }
  *ret = f;
  return 0;
}

void zl_early_flush_add(struct zl_early_flush *f, uint64_t bytes)
{
  (void)pthread_mutex_lock(&f->lock);
  f->dirty += bytes;
  if (f->dirty >= FLUSH_EVERY)
    (void)pthread_cond_signal(&f->changed);
  (void)pthread_mutex_unlock(&f->lock);
}

void zl_early_flush_free(struct zl_early_flush *f)
{
  if (f == NULL)
    return;
  (void)pthread_mutex_lock(&f->lock);
  f->closing = true;
  (void)pthread_cond_signal(&f->changed);
  (void)pthread_mutex_unlock(&f->lock);
  (void)pthread_join(f->thread, NULL);
  (void)pthread_cond_destroy(&f->changed);
  (void)pthread_mutex_destroy(&f->lock);
  free(f);
}
