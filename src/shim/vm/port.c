/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/vm/port.h"
#include "base/compiler.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
  /* Output held for clients that lag before the guest is made to wait. With what the guest still
   * has at its end (a pipe and a window) it stays below what a stream can hold. */
  HELD_ENOUGH = 256 << 10
};

struct port {
  struct source source;
  struct ports *ports;
  struct port *next;
  uint32_t number;
  int fd;                /* owned; -1: none (any more) */
  struct stream *stream; /* instead of a descriptor */
  bool is_input;
  bool eof;           /* the guest writes no more */
  bool over;          /* told to `ended` */
  size_t owed;        /* bytes of the stream's that the guest has not been granted anew */
  struct zl_buf held; /* taken from the guest, not yet written to `fd` */
  port_ended_fn ended;
  void *ctx;
};

static struct port *find(struct ports *ports, uint32_t number)
{
  for (struct port *port = ports->first; port != NULL; port = port->next)
    if (port->number == number)
      return port;
  return NULL;
}

static void grant(struct port *port, size_t len)
{
  if (len > 0)
    zl_mux_consumed(port->ports->guest->mux, port->number, len);
}

static void finish(struct port *port)
{
  struct loop *loop = port->ports->guest->loop;

  if (port->over)
    return;
  port->over = true;
  if (port->fd >= 0)
    loop_remove(loop, &port->source);
  zl_fd_closep(&port->fd);
  if (port->ended != NULL)
    port->ended(port, port->ctx);
}

/* ---- Output into a stream of the container ------------------------------------------------- */

static void settle_stream(struct port *port)
{
  size_t owed = port->owed;

  if (port->ports->generous || port->stream->held.len < HELD_ENOUGH) {
    port->owed = 0;
    grant(port, owed);
  }
  if (port->eof)
    finish(port);
}

static void stream_drained(struct stream *stream)
{
  struct ports *ports = stream->feeder;
  struct port *port = ports->first;

  while (port != NULL && (port->stream != stream || port->over))
    port = port->next;
  if (port == NULL)
    return;
  settle_stream(port);
  guest_flush(ports->guest);
}

/* ---- Output into a descriptor -------------------------------------------------------------- */

/* The reader has gone: the process is told so by the end of its pipe, as on the host. */
static void drop_reader(struct port *port)
{
  zl_mux_reset(port->ports->guest->mux, port->number);
  zl_buf_done(&port->held);
  finish(port);
}

static void write_held(struct port *port)
{
  struct loop *loop = port->ports->guest->loop;

  while (port->held.len > 0) {
    ssize_t n = write(port->fd, port->held.data, port->held.len);

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0 && errno == EAGAIN)
      break;
    if (n < 0) {
      drop_reader(port);
      return;
    }
    zl_buf_consume(&port->held, (size_t)n);
    grant(port, (size_t)n);
  }
  loop_change(loop, &port->source, port->held.len > 0 ? EPOLLOUT : 0);
  if (port->held.len == 0 && port->eof)
    finish(port);
}

static void output_ready(struct source *source, uint32_t events)
{
  struct port *port = container_of(source, struct port, source);
  struct guest *guest = port->ports->guest;

  if (events & (EPOLLERR | EPOLLHUP))
    drop_reader(port);
  else
    write_held(port);
  guest_flush(guest);
}

/* ---- Input from a descriptor --------------------------------------------------------------- */

static void end_input(struct port *port)
{
  zl_mux_shutdown(port->ports->guest->mux, port->number);
  finish(port);
}

/* As much as the guest has granted; without a grant it is not read at all. */
static void read_input(struct port *port)
{
  struct guest *guest = port->ports->guest;
  ZL_UNCLEARED char chunk[ZL_MUX_CHUNK];
  size_t room = zl_mux_room(guest->mux, port->number);
  ssize_t n = 0;

  while (room > 0 && port->fd >= 0) {
    n = read(port->fd, chunk, room < sizeof(chunk) ? room : sizeof(chunk));
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      break;
    if (zl_mux_write(guest->mux, port->number, chunk, (size_t)n, NULL) < 0) {
      finish(port);
      return;
    }
    room = zl_mux_room(guest->mux, port->number);
  }
  if (room > 0 && (n == 0 || (n < 0 && errno != EAGAIN)))
    end_input(port);
  else
    loop_change(guest->loop, &port->source, room > 0 ? EPOLLIN : 0);
}

static void input_ready(struct source *source, uint32_t events)
{
  struct port *port = container_of(source, struct port, source);
  struct guest *guest = port->ports->guest;

  /* A hang-up cannot be masked: with bytes still to be read but no room for them the source must
   * not spin. */
  if (zl_mux_room(guest->mux, port->number) == 0)
    loop_remove(guest->loop, &port->source);
  else
    read_input(port);
  (void)events;
  guest_flush(guest);
}

static void watch_input(struct port *port)
{
  struct guest *guest = port->ports->guest;

  if (port->fd >= 0 && port->source.fd < 0 &&
      loop_add(guest->loop, &port->source, port->fd, EPOLLIN, input_ready, NULL) < 0)
    end_input(port);
  else
    read_input(port);
}

/* ---- What the mux tells -------------------------------------------------------------------- */

static void on_opened(void *ctx, uint32_t number)
{
  struct port *port = find(ctx, number);

  if (port != NULL && port->is_input)
    watch_input(port);
}

static void on_data(void *ctx, uint32_t number, const void *data, size_t len)
{
  struct ports *ports = ctx;
  struct port *port = find(ports, number);

  if (port == NULL || port->over || port->is_input || (port->stream == NULL && port->fd < 0)) {
    zl_mux_consumed(ports->guest->mux, number, len);
    return;
  }
  if (port->stream != NULL) {
    port->owed += len;
    stream_feed(port->stream, data, len);
    settle_stream(port);
    return;
  }
  if (zl_buf_append(&port->held, data, len, NULL) < 0)
    drop_reader(port);
  else
    write_held(port);
}

static void on_eof(void *ctx, uint32_t number)
{
  struct port *port = find(ctx, number);

  if (port == NULL || port->is_input)
    return;
  port->eof = true;
  zl_mux_shutdown(port->ports->guest->mux, number); /* we never write into an output */
  if (port->stream != NULL)
    settle_stream(port);
  else if (port->fd >= 0)
    write_held(port);
  else
    finish(port);
}

static void on_writable(void *ctx, uint32_t number)
{
  struct port *port = find(ctx, number);

  if (port != NULL && port->is_input && !port->over)
    watch_input(port);
}

static void on_reset(void *ctx, uint32_t number)
{
  struct port *port = find(ctx, number);

  if (port == NULL)
    return;
  port->eof = true;
  if (port->fd >= 0 && !port->is_input && port->held.len > 0)
    write_held(port);
  else
    finish(port);
}

struct zl_mux_hooks ports_hooks(struct ports *ports)
{
  return (struct zl_mux_hooks){ .ctx = ports,
                                .opened = on_opened,
                                .data = on_data,
                                .eof = on_eof,
                                .writable = on_writable,
                                .reset = on_reset };
}

/* ---- Ports --------------------------------------------------------------------------------- */

static int add(struct ports *ports, int fd, struct port **ret, struct zl_error *err)
{
  struct port *port;
  int r = zl_mux_listen(ports->guest->mux, ports->guest->next_port, err);

  if (r < 0)
    return r;
  if (fd >= 0 && fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
    r = zl_fail_errno(err, "stream of a guest process");
  port = r == 0 ? calloc(1, sizeof(*port)) : NULL;
  if (port == NULL) {
    zl_mux_reset(ports->guest->mux, ports->guest->next_port++);
    return r < 0 ? r : zl_fail_nomem(err, "stream of a guest process");
  }
  *port = (struct port){ .source = SOURCE_INIT,
                         .ports = ports,
                         .next = ports->first,
                         .number = ports->guest->next_port++,
                         .fd = fd,
                         .held = ZL_BUF_INIT(ZL_MUX_WINDOW) };
  ports->first = port;
  *ret = port;
  return 0;
}

int port_to_stream(struct ports *ports, struct stream *stream, port_ended_fn ended, void *ctx,
                   struct port **ret, struct zl_error *err)
{
  int r = add(ports, -1, ret, err);

  if (r < 0)
    return r;
  (*ret)->stream = stream;
  (*ret)->ended = ended;
  (*ret)->ctx = ctx;
  stream->feeder = ports;
  stream->drained = stream_drained;
  return 0;
}

int port_to_nobody(struct ports *ports, struct port **ret, struct zl_error *err)
{
  return add(ports, -1, ret, err);
}

int port_to_fd(struct ports *ports, int fd, port_ended_fn ended, void *ctx, struct port **ret,
               struct zl_error *err)
{
  struct port *port = NULL;
  int r = add(ports, fd, &port, err);

  if (port == NULL)
    return r;
  port->ended = ended;
  port->ctx = ctx;
  r = loop_add(ports->guest->loop, &port->source, fd, 0, output_ready, err);
  if (r < 0) {
    port->fd = -1;
    port_close(port);
    return r;
  }
  *ret = port;
  return 0;
}

int port_from_fd(struct ports *ports, int fd, struct port **ret, struct zl_error *err)
{
  int r = add(ports, fd, ret, err);

  if (r == 0)
    (*ret)->is_input = true;
  return r;
}

uint32_t port_number(const struct port *port)
{
  return port != NULL ? port->number : 0;
}

bool port_is_over(const struct port *port)
{
  return port == NULL || port->over;
}

void port_close(struct port *port)
{
  struct ports *ports;

  if (port == NULL)
    return;
  ports = port->ports;
  for (struct port **at = &ports->first; *at != NULL; at = &(*at)->next) {
    if (*at != port)
      continue;
    *at = port->next;
    break;
  }
  if (ports->guest->mux != NULL)
    zl_mux_reset(ports->guest->mux, port->number);
  if (port->fd >= 0)
    loop_remove(ports->guest->loop, &port->source);
  zl_fd_closep(&port->fd);
  zl_buf_done(&port->held);
  free(port);
}

/* `ended` may close ports: after each one the list is looked at anew. */
void ports_be_generous(struct ports *ports)
{
  bool again = true;

  ports->generous = true;
  while (again) {
    again = false;
    for (struct port *port = ports->first; !again && port != NULL; port = port->next) {
      again = port->stream != NULL && !port->over && (port->owed > 0 || port->eof);
      if (again)
        settle_stream(port);
    }
  }
  guest_flush(ports->guest);
}

void ports_close(struct ports *ports)
{
  while (ports->first != NULL)
    port_close(ports->first);
}
