/* SPDX-License-Identifier: Apache-2.0 */
#include "image/blob_fetch.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/thread.h"

enum {
  /* A connection that brought so much while the caller waited is joined by another. */
  PROOF_BYTES = 1 << 20
};

enum ranges {
  RANGES_UNKNOWN,
  RANGES_YES,
  RANGES_NO
};

struct zl_blob_fetch {
  struct zl_blob_fetch_options opt;
  int cancel_fd;        /* an eventfd, for the requests of this blob */
  pthread_mutex_t lock; /* of everything below, and of the map */
  pthread_cond_t changed;
  pthread_t threads[ZL_MAX_BLOB_CONNECTIONS];
  unsigned started, running;
  enum ranges ranges;
  uint64_t total; /* bytes there */
  bool hungry;    /* the caller waits */
  bool enough;    /* connections: the server did not bear one more */
  bool quit;
  struct zl_error error; /* the first failure */
};

/* One connection. */
struct part {
  struct zl_blob_fetch *fetch;
  struct zl_blob_part want;
  struct zl_span span; /* as taken */
  uint64_t at;         /* of the next byte */
};

static void start_thread(struct zl_blob_fetch *f);

/* ---- Bytes ----------------------------------------------------------------------------------- */

static int fail_write(int r, struct zl_error *err)
{
  return zl_fail(err, ZL_E_SYSTEM, -r, "keeping what was downloaded");
}

/* The next `len` bytes, all of one piece. Those that are there already come again from a server
 * that sends no parts. */
static int put(struct part *p, const char *data, size_t len, struct zl_error *err)
{
  struct zl_blob_fetch *f = p->fetch;
  struct zl_partial_map *map = &f->opt.partial->map;
  const size_t i = (size_t)(p->at / ZL_PIECE_BYTES);
  const uint32_t offset = (uint32_t)(p->at % ZL_PIECE_BYTES), after = offset + (uint32_t)len;
  int r;

  if (after <= map->have[i]) /* nobody else changes it: the piece is ours, or full */
    return 0;
  r = zl_partial_write(f->opt.partial, p->at, data, len);
  if (r == 0)
    r = zl_partial_record(f->opt.partial, i, after);
  if (r < 0)
    return fail_write(r, err);
  (void)pthread_mutex_lock(&f->lock);
  f->total += after - map->have[i];
  map->have[i] = after;
  (void)pthread_cond_broadcast(&f->changed);
  (void)pthread_mutex_unlock(&f->lock);
  return 0;
}

/* The first bytes of a reply tell what the server can do. Without parts, a sole request takes all
 * the rest. */
static void learn(struct part *p)
{
  struct zl_blob_fetch *f = p->fetch;
  const bool asked = p->want.first > 0 || p->want.end < f->opt.blob->size;

  if (p->want.ranged && f->ranges == RANGES_UNKNOWN)
    f->ranges = RANGES_YES;
  if (p->want.ranged || !asked)
    return;
  f->ranges = RANGES_NO;
  if (f->running == 1)
    p->want.end = p->span.end = f->opt.blob->size;
}

/* 1: this connection has brought what it was to bring, < 0: it is not wanted any more. */
static int consider(struct part *p, struct zl_error *err)
{
  struct zl_blob_fetch *f = p->fetch;
  int r = 0;

  (void)pthread_mutex_lock(&f->lock);
  learn(p);
  if (f->quit || f->error.code != ZL_OK)
    r = zl_fail(err, ZL_E_CANCELLED, 0, "cancelled");
  else if (p->at >= p->span.end)
    r = 1;
  if (f->hungry && f->ranges == RANGES_YES && p->at - p->want.first >= PROOF_BYTES)
    start_thread(f);
  (void)pthread_mutex_unlock(&f->lock);
  return r;
}

static int on_bytes(void *ctx, const void *data, size_t len, struct zl_error *err)
{
  struct part *p = ctx;
  const char *from = data;
  int r = consider(p, err);

  while (r == 0 && len > 0) {
    const uint64_t left = ZL_PIECE_BYTES - p->at % ZL_PIECE_BYTES;
    const size_t n = len < left ? len : (size_t)left;

    r = put(p, from, n, err);
    if (r < 0)
      return r;
    p->at += n;
    from += n;
    len -= n;
    r = consider(p, err);
  }
  return r;
}

/* ---- The threads ----------------------------------------------------------------------------- */

/* Under the lock, in which it is decided that this thread ends: the others have to know. */
static void leave(struct zl_blob_fetch *f)
{
  f->running--;
  (void)atomic_fetch_sub(f->opt.connections, 1);
  (void)pthread_cond_broadcast(&f->changed);
}

static bool take(struct zl_blob_fetch *f, struct part *ret)
{
  bool found;

  (void)pthread_mutex_lock(&f->lock);
  /* With several connections and no parts, one goes on alone. */
  found = !f->quit && f->error.code == ZL_OK && (f->ranges != RANGES_NO || f->running == 1) &&
          zl_partial_map_take(&f->opt.partial->map, f->ranges == RANGES_NO, &ret->span);
  if (!found)
    leave(f);
  (void)pthread_mutex_unlock(&f->lock);
  if (!found)
    return false;
  ret->at = ret->span.first;
  ret->want = (struct zl_blob_part){ .first = ret->span.first,
                                     .end = ret->span.end,
                                     .cancel_fd = f->cancel_fd };
  return true;
}

/* Under the lock. A server that does not bear several connections still has one. */
static void note_failure(struct zl_blob_fetch *f, const struct zl_error *err)
{
  if (f->running > 1 && (err->code == ZL_E_REMOTE || err->code == ZL_E_TIMEOUT))
    f->enough = true;
  else if (f->error.code == ZL_OK)
    f->error = *err;
  leave(f);
}

/* False: this thread ends. */
static bool fetch_part(struct zl_blob_fetch *f)
{
  struct part p = { .fetch = f };
  struct zl_error err = { 0 };
  int r;

  if (!take(f, &p))
    return false;
  r = zl_source_part(f->opt.source, f->opt.blob, &p.want, on_bytes, &p, &err);
  (void)pthread_mutex_lock(&f->lock);
  zl_partial_map_give(&f->opt.partial->map, &p.span);
  if (r < 0)
    note_failure(f, &err);
  (void)pthread_mutex_unlock(&f->lock);
  return r == 0;
}

static void *run(void *arg)
{
  struct zl_blob_fetch *f = arg;

  while (fetch_part(f))
    ;
  return NULL;
}

static bool is_allowed(struct zl_blob_fetch *f)
{
  if (f->started == ZL_MAX_BLOB_CONNECTIONS || f->quit || f->enough)
    return false;
  /* The first connection of a blob is the pull's promise. */
  if (atomic_fetch_add(f->opt.connections, 1) < ZL_MAX_PULL_CONNECTIONS || f->started == 0)
    return true;
  (void)atomic_fetch_sub(f->opt.connections, 1);
  return false;
}

/* Under the lock. */
static void start_thread(struct zl_blob_fetch *f)
{
  sigset_t all, before;

  if (!is_allowed(f))
    return;
  (void)sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, &before);
  if (pthread_create(&f->threads[f->started], NULL, run, f) == 0) {
    f->started++;
    f->running++;
  } else {
    (void)atomic_fetch_sub(f->opt.connections, 1);
  }
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* ---- The interface --------------------------------------------------------------------------- */

static int init_waiting(struct zl_blob_fetch *f, struct zl_error *err)
{
  (void)pthread_mutex_init(&f->lock, NULL);
  zl_cond_init(&f->changed);
  f->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return f->cancel_fd < 0 ? zl_fail_errno(err, "fetching a blob") : 0;
}

int zl_blob_fetch_start(const struct zl_blob_fetch_options *options, struct zl_blob_fetch **ret,
                        struct zl_error *err)
{
  ZL_CLEANUP(zl_blob_fetch_freep) struct zl_blob_fetch *f = calloc(1, sizeof(*f));
  int r;

  if (f == NULL)
    return zl_fail_nomem(err, "fetching a blob");
  f->opt = *options;
  f->total = zl_partial_map_total(&options->partial->map);
  r = init_waiting(f, err);
  if (r < 0)
    return r;
  (void)pthread_mutex_lock(&f->lock);
  if (f->total < options->blob->size)
    start_thread(f);
  (void)pthread_mutex_unlock(&f->lock);
  if (f->started == 0 && f->total < options->blob->size)
    return zl_fail(err, ZL_E_SYSTEM, EAGAIN, "starting a thread");
  *ret = zl_steal_ptr(&f);
  return 0;
}

static void wait_change(struct zl_blob_fetch *f, uint32_t wait_ms)
{
  f->hungry = true;
  zl_cond_wait_ms(&f->changed, &f->lock, wait_ms);
  f->hungry = false;
}

int zl_blob_fetch_wait(struct zl_blob_fetch *f, uint64_t from, uint32_t wait_ms,
                       struct zl_blob_progress *ret, struct zl_error *err)
{
  const struct zl_partial_map *map = &f->opt.partial->map;
  int r = 0;

  (void)pthread_mutex_lock(&f->lock);
  if (zl_partial_map_ready(map, from) == from && f->error.code == ZL_OK && f->running > 0)
    wait_change(f, wait_ms);
  ret->ready = zl_partial_map_ready(map, from);
  ret->total = f->total;
  if (ret->ready == from && f->error.code != ZL_OK) {
    *err = f->error;
    r = -(int)err->code;
  } else if (ret->ready == from && f->running == 0) {
    r = zl_fail(err, ZL_E_INTERNAL, 0, "blob %s: nobody fetches it", f->opt.blob->digest);
  }
  (void)pthread_mutex_unlock(&f->lock);
  return r;
}

void zl_blob_fetch_free(struct zl_blob_fetch *f)
{
  uint64_t one = 1;

  if (f == NULL)
    return;
  (void)pthread_mutex_lock(&f->lock);
  f->quit = true;
  (void)pthread_mutex_unlock(&f->lock);
  if (f->cancel_fd >= 0)
    (void)!write(f->cancel_fd, &one, sizeof(one));
  for (unsigned i = 0; i < f->started; i++)
    (void)pthread_join(f->threads[i], NULL);
  zl_fd_closep(&f->cancel_fd);
  (void)pthread_cond_destroy(&f->changed);
  (void)pthread_mutex_destroy(&f->lock);
  free(f);
}
