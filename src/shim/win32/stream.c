/* SPDX-License-Identifier: Apache-2.0
 *
 * Each attached client has a thread that writes to its pipe, since there is no pipe of clients here
 * whose writes could be begun and called off. What it has not written yet is in its queue.
 */
#include "shim/win32/stream.h"

#include <pthread.h>
#include <stdlib.h>
#include <windows.h>

#include "base/fd.h"
#include "base/thread.h"
#include "shim/win32/loop.h"

enum {
  LAG_MAX = 64 << 10, /* in a queue: more, and the workload waits */
  QUEUE_MAX = 1 << 20
};

/* Of all queues of this process. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool generous[STREAM_COUNT];

/* Shared by a sink and its thread; the last one frees it. */
struct sink_thread {
  struct stream *stream;
  int fd;        /* the thread's */
  HANDLE thread; /* itself, by which its writes are called off */
  struct zl_buf queue;
  bool busy;      /* a part of it is being written */
  bool detached;  /* the sink has let go: no more is written */
  bool gone;      /* the client does not read any more */
  bool finishing; /* nothing more will come */
  unsigned users;
};

static void unref(struct sink_thread *t)
{
  bool last;

  (void)pthread_mutex_lock(&lock);
  last = --t->users == 0;
  (void)pthread_mutex_unlock(&lock);
  if (!last)
    return;
  if (t->thread != NULL)
    (void)CloseHandle(t->thread);
  zl_buf_done(&t->queue);
  free(t);
}

/* ---- The thread ---- */

static void settle(void *ctx);

/* The next bytes to write, 0: the end. */
static size_t take(struct sink_thread *t, char *chunk, size_t size)
{
  size_t n;

  (void)pthread_mutex_lock(&lock);
  t->busy = false;
  (void)pthread_cond_broadcast(&changed);
  while (t->queue.len == 0 && !t->detached && !t->finishing)
    (void)pthread_cond_wait(&changed, &lock);
  n = t->detached ? 0 : t->queue.len < size ? t->queue.len : size;
  if (n > 0)
    memcpy(chunk, t->queue.data, n);
  zl_buf_consume(&t->queue, n);
  t->busy = n > 0;
  (void)pthread_mutex_unlock(&lock);
  return n;
}

static void *write_all(void *arg)
{
  struct sink_thread *t = arg;
  char chunk[16 << 10];
  size_t n;

  /* Before it is busy for the first time. A released thread has no handle of the C library's. */
  if (!DuplicateHandle(GetCurrentProcess(), GetCurrentThread(), GetCurrentProcess(), &t->thread, 0,
                       FALSE, DUPLICATE_SAME_ACCESS))
    t->thread = NULL;
  while ((n = take(t, chunk, sizeof(chunk))) > 0)
    if (zl_fd_write_full(t->fd, chunk, n) < 0)
      break;
  (void)pthread_mutex_lock(&lock);
  t->gone = true;
  t->busy = false;
  zl_buf_done(&t->queue);
  (void)pthread_cond_broadcast(&changed);
  (void)pthread_mutex_unlock(&lock);
  zl_fd_closep(&t->fd);
  (void)loop_call(settle, t);
  unref(t);
  return NULL;
}

/* ---- Sinks ---- */

static bool is_lagging(const struct sink_thread *t)
{
  return !t->gone && !t->detached && t->queue.len > LAG_MAX;
}

static void drop_sink(struct sink *sink)
{
  struct sink_thread *t = sink->thread;
  void *client = sink->client;

  if (t == NULL)
    return;
  (void)pthread_mutex_lock(&lock);
  t->detached = true;
  (void)pthread_cond_broadcast(&changed);
  if (t->busy && t->thread != NULL)
    (void)CancelSynchronousIo(t->thread);
  (void)pthread_mutex_unlock(&lock);
  sink->thread = NULL;
  sink->client = NULL;
  unref(t);
  if (client != NULL)
    sink->stream->settled(sink->stream, client);
}

/* In the loop: a thread has ended, because its client has gone or has got everything. */
static void settle(void *ctx)
{
  const struct sink_thread *t = ctx;

  for (size_t i = 0; i < ZL_MAX_ATTACH; i++)
    if (t->stream->sinks[i].thread == t)
      drop_sink(&t->stream->sinks[i]);
}

void stream_init(struct stream *stream, struct loop *loop, struct log *log, enum stream_id id,
                 void (*settled)(struct stream *stream, void *client))
{
  *stream = (struct stream){
    .source = SOURCE_INIT, .loop = loop, .log = log, .id = id, .fd = -1, .settled = settled
  };
  for (size_t i = 0; i < ZL_MAX_ATTACH; i++)
    stream->sinks[i] = (struct sink){ .source = SOURCE_INIT, .stream = stream, .fd = -1 };
}

static int start(struct sink *sink, int fd, struct zl_error *err)
{
  struct sink_thread *t = calloc(1, sizeof(*t));
  int code;

  if (t == NULL)
    return zl_fail_nomem(err, "attach");
  *t = (struct sink_thread){
    .stream = sink->stream, .fd = fd, .queue = ZL_BUF_INIT(QUEUE_MAX + LAG_MAX), .users = 2
  };
  code = zl_thread_release(write_all, t);
  if (code != 0) {
    free(t);
    return zl_fail(err, ZL_E_SYSTEM, code, "starting a thread");
  }
  sink->thread = t;
  return 0;
}

int stream_attach(struct stream *stream, int fd, void *client, struct zl_error *err)
{
  struct stat st;

  if (fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode))
    return zl_fail(err, ZL_E_INVALID, 0, "attach takes the write ends of pipes");
  for (size_t i = 0; i < ZL_MAX_ATTACH; i++) {
    struct sink *sink = &stream->sinks[i];
    int r;

    if (sink->thread != NULL)
      continue;
    r = start(sink, fd, err);
    if (r < 0)
      return r;
    sink->client = client;
    return 0;
  }
  return zl_fail(err, ZL_E_LIMIT, 0, "%d clients are attached already", ZL_MAX_ATTACH);
}

void stream_detach(struct stream *stream, void *client)
{
  for (size_t i = 0; i < ZL_MAX_ATTACH; i++) {
    struct sink *sink = &stream->sinks[i];

    if (sink->thread == NULL || sink->client != client)
      continue;
    sink->client = NULL; /* it knows */
    drop_sink(sink);
  }
}

bool stream_is_pending(const struct stream *stream, const void *client)
{
  for (size_t i = 0; i < ZL_MAX_ATTACH; i++)
    if (stream->sinks[i].thread != NULL && stream->sinks[i].client == client)
      return true;
  return false;
}

/* ---- Output ---- */

static void deliver(struct sink *sink, const char *data, size_t len)
{
  struct sink_thread *t = sink->thread;
  bool full = false;

  if (t == NULL)
    return;
  (void)pthread_mutex_lock(&lock);
  if (!t->gone)
    full = zl_buf_append(&t->queue, data, len, NULL) < 0;
  (void)pthread_cond_broadcast(&changed);
  (void)pthread_mutex_unlock(&lock);
  if (full)
    drop_sink(sink);
}

void stream_feed(struct stream *stream, const char *data, size_t len)
{
  log_write(stream->log, stream->id, data, len);
  for (size_t i = 0; i < ZL_MAX_ATTACH; i++)
    deliver(&stream->sinks[i], data, len);
}

struct feed {
  struct stream *stream;
  const char *data;
  size_t len;
  struct sink_thread *lagging; /* has to catch up before more is read; its reference is ours */
};

static void feed(void *ctx)
{
  struct feed *f = ctx;

  stream_feed(f->stream, f->data, f->len);
  (void)pthread_mutex_lock(&lock);
  for (size_t i = 0; i < ZL_MAX_ATTACH && f->lagging == NULL; i++) {
    struct sink_thread *t = f->stream->sinks[i].thread;

    if (t == NULL || !is_lagging(t))
      continue;
    f->lagging = t;
    t->users++;
  }
  (void)pthread_mutex_unlock(&lock);
}

void stream_pass(struct stream *stream, const char *data, size_t len)
{
  struct feed f = { .stream = stream, .data = data, .len = len };

  if (!loop_call(feed, &f) || f.lagging == NULL)
    return;
  (void)pthread_mutex_lock(&lock);
  while (is_lagging(f.lagging) && !generous[stream->id])
    (void)pthread_cond_wait(&changed, &lock);
  (void)pthread_mutex_unlock(&lock);
  unref(f.lagging);
}

void stream_be_generous(struct stream *stream)
{
  (void)pthread_mutex_lock(&lock);
  generous[stream->id] = true;
  (void)pthread_cond_broadcast(&changed);
  (void)pthread_mutex_unlock(&lock);
}

/* Each thread writes what it has and ends (settle). */
void stream_finish(struct stream *stream)
{
  stream->ended = true;
  (void)pthread_mutex_lock(&lock);
  for (size_t i = 0; i < ZL_MAX_ATTACH; i++)
    if (stream->sinks[i].thread != NULL)
      stream->sinks[i].thread->finishing = true;
  (void)pthread_cond_broadcast(&changed);
  (void)pthread_mutex_unlock(&lock);
}

void stream_close(struct stream *stream)
{
  for (size_t i = 0; i < ZL_MAX_ATTACH; i++) {
    stream->sinks[i].client = NULL;
    drop_sink(&stream->sinks[i]);
  }
}
