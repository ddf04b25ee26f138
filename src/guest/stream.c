/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/stream.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "guest/agent.h"

static char chunk[ZL_MUX_CHUNK]; /* only ever in use within one callback */

static void watch(struct stream *stream, uint32_t events)
{
  struct epoll_event event = { .events = events, .data.u32 = stream->key };
  int op = stream->is_watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

  if (epoll_ctl(stream->agent->epoll_fd, op, stream->fd, &event) == 0)
    stream->is_watched = true;
}

static void unwatch(struct stream *stream)
{
  if (stream->is_watched)
    (void)epoll_ctl(stream->agent->epoll_fd, EPOLL_CTL_DEL, stream->fd, NULL);
  stream->is_watched = false;
}

static void close_fd(struct stream *stream)
{
  unwatch(stream);
  zl_fd_closep(&stream->fd);
  stream->is_settled = true;
}

/* ---- Output -------------------------------------------------------------------------------- */

static size_t room_of(const struct stream *stream)
{
  size_t room = sizeof(chunk);

  if (stream->port != 0)
    room = zl_mux_room(stream->agent->mux, stream->port);
  return room < sizeof(chunk) ? room : sizeof(chunk);
}

static void end_output(struct stream *stream)
{
  close_fd(stream);
  if (stream->port != 0)
    zl_mux_shutdown(stream->agent->mux, stream->port);
  process_check(stream->process);
}

/* One read: 1: something was passed on; 0: nothing is there, or the host takes nothing now; -1: at
 * its end. A terminal whose other end is closed answers EIO. */
static int pump(struct stream *stream)
{
  size_t room = room_of(stream);
  ssize_t n;

  /* Not watched meanwhile: EPOLLHUP cannot be masked, and would be told again and again. */
  if (room == 0) {
    unwatch(stream);
    return 0;
  }
  do
    n = read(stream->fd, chunk, room);
  while (n < 0 && errno == EINTR);
  if (n < 0 && errno == EAGAIN) {
    if (!stream->is_watched)
      watch(stream, EPOLLIN);
    if (!process_is_running(stream->process))
      stream->is_settled = true;
    return 0;
  }
  if (n <= 0)
    return -1;
  if (stream->port == 0)
    return 1;
  return zl_mux_write(stream->agent->mux, stream->port, chunk, (size_t)n, NULL) < 0 ? -1 : 1;
}

void stream_settle(struct stream *stream)
{
  int r = 1;

  if (stream->fd < 0 || stream->is_input)
    return;
  if (stream->port == 0) { /* nobody is interested: what comes may be dropped at any time */
    stream->is_settled = true;
    return;
  }
  while (r > 0)
    r = pump(stream);
  if (r < 0)
    end_output(stream);
}

bool stream_is_settled(const struct stream *stream)
{
  return stream->is_input || stream->fd < 0 || stream->is_settled;
}

static void output_ready(struct stream *stream)
{
  if (!stream_is_settled(stream) && !process_is_running(stream->process)) {
    stream_settle(stream);
    process_check(stream->process);
  } else if (pump(stream) < 0) {
    end_output(stream);
  }
}

void stream_writable(struct stream *stream)
{
  if (stream->fd < 0 || stream->is_input || stream->is_watched)
    return;
  watch(stream, EPOLLIN);
  output_ready(stream);
}

/* ---- Input --------------------------------------------------------------------------------- */

static void drop_held(struct stream *stream)
{
  zl_buf_done(&stream->held);
}

/* Nobody reads any more: the host need not send what would be dropped. */
static void end_input(struct stream *stream)
{
  close_fd(stream);
  drop_held(stream);
  if (stream->port != 0)
    zl_mux_reset(stream->agent->mux, stream->port);
}

/* Bytes written, or -1 when nobody reads any more. */
static ssize_t give(struct stream *stream, const char *data, size_t len)
{
  size_t done = 0;

  while (done < len) {
    ssize_t n = write(stream->fd, data + done, len - done);

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0 && errno == EAGAIN)
      break;
    if (n < 0)
      return -1;
    done += (size_t)n;
  }
  if (done > 0)
    zl_mux_consumed(stream->agent->mux, stream->port, done);
  return (ssize_t)done;
}

void stream_data(struct stream *stream, const void *data, size_t len)
{
  ssize_t n = 0;

  if (stream->fd < 0 || !stream->is_input) {
    zl_mux_consumed(stream->agent->mux, stream->port, len);
    return;
  }
  if (stream->held.len == 0)
    n = give(stream, data, len);
  /* Beyond one window the mux has ended the connection already. */
  if (n < 0 || zl_buf_append(&stream->held, (const char *)data + n, len - (size_t)n, NULL) < 0)
    end_input(stream);
  else if (stream->held.len > 0)
    watch(stream, EPOLLOUT);
}

static void close_at_eof(struct stream *stream)
{
  if (!stream->has_eof || stream->held.len > 0)
    return;
  close_fd(stream);
  drop_held(stream);
}

static void input_ready(struct stream *stream, uint32_t events)
{
  ssize_t n = 0;

  if (events & (EPOLLERR | EPOLLHUP)) {
    end_input(stream);
    return;
  }
  if (stream->held.len > 0)
    n = give(stream, stream->held.data, stream->held.len);
  if (n < 0) {
    end_input(stream);
    return;
  }
  zl_buf_consume(&stream->held, (size_t)n);
  if (stream->held.len == 0)
    watch(stream, 0);
  close_at_eof(stream);
}

/* ---- Both ---------------------------------------------------------------------------------- */

void stream_init(struct stream *stream, struct agent *agent, struct process *process, uint32_t key,
                 bool is_input)
{
  *stream = (struct stream){ .agent = agent,
                             .process = process,
                             .key = key,
                             .fd = -1,
                             .is_input = is_input,
                             .held = ZL_BUF_INIT(ZL_MUX_WINDOW) };
}

void stream_open(struct stream *stream, int fd)
{
  (void)fcntl(fd, F_SETFL, O_NONBLOCK); /* cannot fail for a pipe or a terminal */
  stream->fd = fd;
}

int stream_connect(struct stream *stream, uint32_t port, struct zl_error *err)
{
  int r;

  if (port == 0 && stream->is_input) {
    close_fd(stream);
    return 0;
  }
  if (port != 0) {
    r = zl_mux_open(stream->agent->mux, port, err);
    if (r < 0) {
      close_fd(stream);
      return r;
    }
    stream->port = port;
    if (stream->is_input)
      zl_mux_shutdown(stream->agent->mux, port);
  }
  watch(stream, stream->is_input ? 0 : EPOLLIN); /* 0: a reader that goes is told all the same */
  return 0;
}

void stream_close(struct stream *stream)
{
  close_fd(stream);
  drop_held(stream);
  if (stream->port != 0)
    zl_mux_reset(stream->agent->mux, stream->port);
  stream->port = 0;
}

void stream_ready(struct stream *stream, uint32_t events)
{
  if (stream->fd < 0)
    return;
  if (stream->is_input)
    input_ready(stream, events);
  else
    output_ready(stream);
}

/* With a terminal the end of the input means nothing to the process: it has other ways to say so.
 */
void stream_eof(struct stream *stream)
{
  if (stream->fd < 0 || !stream->is_input)
    return;
  stream->has_eof = true;
  close_at_eof(stream);
}

/* Who wrote the input or read the output is gone: the process finds its pipe closed, or is hung up.
 */
void stream_reset(struct stream *stream)
{
  bool was_output = stream->fd >= 0 && !stream->is_input;

  close_fd(stream);
  drop_held(stream);
  stream->port = 0;
  if (was_output)
    process_check(stream->process);
}
