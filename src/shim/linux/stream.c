/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/stream.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

enum {
  CHUNK = 16 << 10,
  /* A pipe's default capacity and one chunk; a workload may enlarge its pipe to 1 MiB. */
  HELD_MAX = (1 << 20) + CHUNK
};

static char chunk[CHUNK]; /* only ever in use within one callback */

static void stream_ready(struct source *source, uint32_t events);

static void drop_sink(struct sink *sink)
{
  void *client = sink->client;

  loop_remove(sink->stream->loop, &sink->source);
  zl_fd_closep(&sink->fd);
  sink->client = NULL;
  sink->done = 0;
  if (client != NULL)
    sink->stream->settled(sink->stream, client);
}

/* Bytes written, 0 when it would block; a gone reader loses its sink. */
static size_t write_sink(struct sink *sink, const char *data, size_t len)
{
  size_t done = 0;

  while (done < len) {
    ssize_t n = write(sink->fd, data + done, len - done);

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0 && errno == EAGAIN)
      break;
    if (n < 0) {
      drop_sink(sink);
      return len;
    }
    done += (size_t)n;
  }
  return done;
}

/* Releases what every sink has got and goes on reading when nothing is held. */
static void update(struct stream *stream)
{
  size_t least = stream->held.len;

  for (size_t i = 0; i < ZL_MAX_ATTACH; i++) {
    const struct sink *sink = &stream->sinks[i];

    if (sink->fd >= 0 && sink->done < least)
      least = sink->done;
  }
  if (least < stream->held.len)
    return;
  zl_buf_done(&stream->held);
  for (size_t i = 0; i < ZL_MAX_ATTACH; i++)
    stream->sinks[i].done = 0;
  if (stream->fd >= 0 && stream->source.fd < 0)
    (void)loop_add(stream->loop, &stream->source, stream->fd, EPOLLIN, stream_ready, NULL);
  else
    loop_change(stream->loop, &stream->source, EPOLLIN);
  if (stream->drained != NULL)
    stream->drained(stream);
}

static void sink_ready(struct source *source, uint32_t events)
{
  struct sink *sink = container_of(source, struct sink, source);
  struct stream *stream = sink->stream;
  void *client = sink->client;

  if (events & (EPOLLERR | EPOLLHUP)) {
    drop_sink(sink);
  } else {
    size_t left = stream->held.len - sink->done;
    size_t n = left > 0 ? write_sink(sink, stream->held.data + sink->done, left) : 0;

    if (sink->fd >= 0) {
      sink->done += n;
      if (sink->done == stream->held.len)
        loop_change(stream->loop, &sink->source, 0);
    }
  }
  update(stream);
  if (stream->ended && sink->fd >= 0 && stream->held.len == 0)
    stream->settled(stream, client);
}

/* Gives a chunk to all clients; the part that one of them cannot take now is held. */
static void deliver(struct stream *stream, const char *data, size_t len)
{
  size_t got[ZL_MAX_ATTACH], least = len;

  for (size_t i = 0; i < ZL_MAX_ATTACH; i++) {
    struct sink *sink = &stream->sinks[i];

    /* Behind the others already: it gets this in its turn. */
    got[i] = sink->fd < 0 ? len : sink->done < stream->held.len ? 0 : write_sink(sink, data, len);
    if (sink->fd >= 0 && got[i] < least)
      least = got[i];
  }
  if (least == len && stream->held.len == 0)
    return;
  for (size_t i = 0; i < ZL_MAX_ATTACH; i++) {
    struct sink *sink = &stream->sinks[i];

    if (sink->fd < 0)
      continue;
    if (sink->done == stream->held.len)
      sink->done += got[i];
    if (got[i] < len)
      loop_change(stream->loop, &sink->source, EPOLLOUT);
  }
  if (zl_buf_append(&stream->held, data, len, NULL) < 0)
    for (size_t i = 0; i < ZL_MAX_ATTACH; i++)
      if (stream->sinks[i].fd >= 0 && got[i] < len)
        drop_sink(&stream->sinks[i]);
  if (stream->held.len > 0)
    loop_change(stream->loop, &stream->source, 0);
}

static void end(struct stream *stream)
{
  loop_remove(stream->loop, &stream->source);
  zl_fd_closep(&stream->fd);
  stream->ended = true;
}

void stream_feed(struct stream *stream, const char *data, size_t len)
{
  log_write(stream->log, stream->id, data, len);
  deliver(stream, data, len);
}

/* One read: > 0 bytes passed on, 0 nothing there now, < 0 at the end. A terminal whose other end is
 * closed answers EIO. */
static int pump(struct stream *stream)
{
  ssize_t n;

  do
    n = read(stream->fd, chunk, sizeof(chunk));
  while (n < 0 && errno == EINTR);
  if (n < 0 && errno == EAGAIN)
    return 0;
  if (n <= 0)
    return -1;
  stream_feed(stream, chunk, (size_t)n);
  return 1;
}

static void stream_ready(struct source *source, uint32_t events)
{
  struct stream *stream = container_of(source, struct stream, source);

  if (stream->held.len > 0) {
    /* Only EPOLLHUP, which cannot be masked, is behind this: the writers have gone while a client
     * lags. Until it has caught up (update) the source must not spin. */
    loop_remove(stream->loop, &stream->source);
    return;
  }
  (void)events;
  if (pump(stream) < 0)
    end(stream);
}

void stream_init(struct stream *stream, struct loop *loop, struct log *log, enum stream_id id,
                 void (*settled)(struct stream *stream, void *client))
{
  *stream = (struct stream){ .source = SOURCE_INIT,
                             .loop = loop,
                             .log = log,
                             .id = id,
                             .fd = -1,
                             .held = ZL_BUF_INIT(HELD_MAX),
                             .settled = settled };
  for (size_t i = 0; i < ZL_MAX_ATTACH; i++)
    stream->sinks[i] = (struct sink){ .source = SOURCE_INIT, .stream = stream, .fd = -1 };
}

int stream_open(struct stream *stream, int fd, struct zl_error *err)
{
  int r = loop_add(stream->loop, &stream->source, fd, EPOLLIN, stream_ready, err);

  if (r < 0)
    return r;
  stream->fd = fd;
  return 0;
}

int stream_attach(struct stream *stream, int fd, void *client, struct zl_error *err)
{
  struct stat st;
  int flags = fcntl(fd, F_GETFL);

  if (fstat(fd, &st) < 0 || flags < 0 || (flags & O_ACCMODE) == O_RDONLY ||
      !(S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)))
    return zl_fail(err, ZL_E_INVALID, 0, "attach takes the write ends of pipes");
  for (size_t i = 0; i < ZL_MAX_ATTACH; i++) {
    struct sink *sink = &stream->sinks[i];

    if (sink->fd >= 0)
      continue;
    if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
      return zl_fail_errno(err, "attach");
    if (loop_add(stream->loop, &sink->source, fd, 0, sink_ready, err) < 0)
      return -(int)err->code;
    sink->stream = stream;
    sink->fd = fd;
    sink->client = client;
    sink->done = stream->held.len;
    return 0;
  }
  return zl_fail(err, ZL_E_LIMIT, 0, "%d clients are attached already", ZL_MAX_ATTACH);
}

void stream_detach(struct stream *stream, void *client)
{
  for (size_t i = 0; i < ZL_MAX_ATTACH; i++) {
    struct sink *sink = &stream->sinks[i];

    if (sink->fd < 0 || sink->client != client)
      continue;
    sink->client = NULL; /* it knows */
    drop_sink(sink);
  }
  update(stream);
}

bool stream_is_pending(const struct stream *stream, const void *client)
{
  for (size_t i = 0; i < ZL_MAX_ATTACH; i++)
    if (stream->sinks[i].fd >= 0 && stream->sinks[i].client == client &&
        (!stream->ended || stream->sinks[i].done < stream->held.len))
      return true;
  return false;
}

void stream_finish(struct stream *stream)
{
  while (stream->fd >= 0 && pump(stream) > 0)
    continue;
  if (stream->fd >= 0)
    end(stream);
  stream->ended = true;
}

void stream_close(struct stream *stream)
{
  for (size_t i = 0; i < ZL_MAX_ATTACH; i++) {
    stream->sinks[i].client = NULL;
    if (stream->sinks[i].fd >= 0)
      drop_sink(&stream->sinks[i]);
  }
  if (stream->fd >= 0)
    end(stream);
  zl_buf_done(&stream->held);
}
