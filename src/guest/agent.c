/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/agent.h"

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/time.h"
#include "guest/requests.h"

enum {
  DRAIN_MS = 2000 /* the host reads the last answers, or is not there any more */
};

/* ---- Streams ------------------------------------------------------------------------------- */

static void mux_data(void *ctx, uint32_t port, const void *data, size_t len)
{
  struct agent *agent = ctx;
  struct stream *stream = process_find_stream(agent, port);

  if (stream != NULL)
    stream_data(stream, data, len);
  else
    zl_mux_consumed(agent->mux, port, len); /* its process is forgotten */
}

static void mux_eof(void *ctx, uint32_t port)
{
  struct stream *stream = process_find_stream(ctx, port);

  if (stream != NULL)
    stream_eof(stream);
}

static void mux_writable(void *ctx, uint32_t port)
{
  struct stream *stream = process_find_stream(ctx, port);

  if (stream != NULL)
    stream_writable(stream);
}

static void mux_reset(void *ctx, uint32_t port)
{
  struct stream *stream = process_find_stream(ctx, port);

  if (stream != NULL)
    stream_reset(stream);
}

/* ---- Opening ------------------------------------------------------------------------------- */

static int watch(const struct agent *agent, int op, int fd, uint32_t events, uint32_t key,
                 struct zl_error *err)
{
  struct epoll_event event = { .events = events, .data.u32 = key };

  if (epoll_ctl(agent->epoll_fd, op, fd, &event) < 0)
    return zl_fail_errno(err, "watching descriptor %d", fd);
  return 0;
}

static int open_signals(struct agent *agent, struct zl_error *err)
{
  sigset_t child;

  (void)sigemptyset(&child);
  (void)sigaddset(&child, SIGCHLD);
  agent->signal_fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
  if (agent->signal_fd < 0)
    return zl_fail_errno(err, "signals");
  return watch(agent, EPOLL_CTL_ADD, agent->signal_fd, EPOLLIN, KEY_SIGNALS, err);
}

static int open_protocol(struct agent *agent, struct zl_error *err)
{
  const struct zl_mux_hooks hooks = {
    .ctx = agent, .data = mux_data, .eof = mux_eof, .writable = mux_writable, .reset = mux_reset
  };
  int r = zl_bridge_server_new(request_serve, agent, request_capabilities(), &agent->server, err);

  return r < 0 ? r : zl_mux_new(ZL_MUX_GUEST, &hooks, &agent->mux, err);
}

int agent_open(struct agent *agent, bool is_machine, int bridge_fd, int stdio_fd,
               struct zl_error *err)
{
  int r;

  *agent = (struct agent){ .is_machine = is_machine, .signal_fd = -1 };
  container_init(&agent->container);
  process_table_init(agent);
  if (is_machine && group_prepare(&agent->container.group, err) < 0)
    return -(int)err->code;
  agent->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (agent->epoll_fd < 0)
    return zl_fail_errno(err, "epoll");
  r = open_signals(agent, err);
  if (r == 0)
    r = open_protocol(agent, err);
  if (r < 0)
    return r;
  zl_link_server(&agent->bridge, bridge_fd, agent->server);
  zl_link_mux(&agent->stdio, stdio_fd, agent->mux);
  agent->bridge_events = agent->stdio_events = EPOLLIN;
  r = watch(agent, EPOLL_CTL_ADD, bridge_fd, EPOLLIN, KEY_BRIDGE, err);
  return r < 0 ? r : watch(agent, EPOLL_CTL_ADD, stdio_fd, EPOLLIN, KEY_STDIO, err);
}

void agent_close(struct agent *agent)
{
  do
    if (agent->container.status != CONTAINER_NONE)
      container_remove(agent);
  while (spares_pop(agent));
  zl_bridge_server_free(agent->server);
  zl_mux_free(agent->mux);
  zl_fd_closep(&agent->signal_fd);
  zl_fd_closep(&agent->epoll_fd);
}

/* ---- Running ------------------------------------------------------------------------------- */

/* A virtio-serial port without a host is reported as hung up for as long as that lasts; only its
 * changes are of interest then. */
static int update(struct agent *agent, struct zl_link *link, uint32_t *watched, uint32_t key,
                  struct zl_error *err)
{
  uint32_t events;
  int r = 0;

  if ((zl_link_events(link) & POLLOUT) != 0)
    r = zl_link_pump(link, POLLOUT, err);
  events = (uint32_t)zl_link_events(link) | (link->hung_up ? EPOLLET : 0U);
  if (r < 0 || events == *watched)
    return r;
  *watched = events;
  return watch(agent, EPOLL_CTL_MOD, link->fd, events, key, err);
}

/* Output goes before the answers that speak of it. */
static int update_links(struct agent *agent, struct zl_error *err)
{
  int r = update(agent, &agent->stdio, &agent->stdio_events, KEY_STDIO, err);

  return r < 0 ? r : update(agent, &agent->bridge, &agent->bridge_events, KEY_BRIDGE, err);
}

static void serve_signals(struct agent *agent)
{
  struct signalfd_siginfo info;

  while (read(agent->signal_fd, &info, sizeof(info)) > 0)
    continue;
  process_reap(agent);
}

static int serve(struct agent *agent, const struct epoll_event *event, struct zl_error *err)
{
  struct stream *stream;

  switch (event->data.u32) {
  case KEY_SIGNALS:
    serve_signals(agent);
    return 0;
  case KEY_BRIDGE:
    return zl_link_pump(&agent->bridge, (short)event->events, err);
  case KEY_STDIO:
    return zl_link_pump(&agent->stdio, (short)event->events, err);
  default:
    stream = process_stream_of_key(agent, event->data.u32);
    if (stream != NULL)
      stream_ready(stream, event->events);
    return 0;
  }
}

static int timeout_of(const struct agent *agent)
{
  uint64_t deadline = process_deadline(agent), now, ms;

  if (deadline == UINT64_MAX)
    return -1;
  now = zl_time_boot();
  if (deadline <= now)
    return 0;
  ms = (deadline - now) / ZL_NS_PER_MS + 1;
  return ms < INT32_MAX ? (int)ms : INT32_MAX;
}

static bool is_over(const struct agent *agent)
{
  enum container_status status = agent->container.status;

  if (agent->ending == ENDING_NOW)
    return true;
  if (agent->ending == ENDING_WITH_CONTAINER)
    return status == CONTAINER_NONE ||
           (status == CONTAINER_STOPPED && agent->container.is_announced);
  return !agent->is_machine && agent->bridge.hung_up;
}

/* What has been answered already is not lost with the machine. */
static void drain(struct agent *agent)
{
  struct zl_link *links[] = { &agent->stdio, &agent->bridge };

  for (size_t i = 0; i < ZL_COUNT(links); i++) {
    struct pollfd fd = { .fd = links[i]->fd, .events = POLLOUT };

    while ((zl_link_events(links[i]) & POLLOUT) != 0 &&
           zl_link_pump(links[i], POLLOUT, NULL) == 0 &&
           (zl_link_events(links[i]) & POLLOUT) != 0 && poll(&fd, 1, DRAIN_MS) > 0 &&
           (fd.revents & (POLLHUP | POLLERR)) == 0)
      continue;
  }
}

/* Events are fetched one at a time, so that none is left of a stream that an earlier one closed. */
int agent_run(struct agent *agent, struct zl_error *err)
{
  struct epoll_event event;
  int r = 0;

  while (r == 0 && !is_over(agent)) {
    int n = epoll_wait(agent->epoll_fd, &event, 1, timeout_of(agent));

    if (n < 0 && errno != EINTR)
      return zl_fail_errno(err, "waiting for events");
    if (n > 0)
      r = serve(agent, &event, err);
    if (agent->n_waiters > 0)
      process_expire(agent, zl_time_boot());
    if (r == 0)
      r = update_links(agent, err);
  }
  if (r == 0)
    drain(agent);
  return r;
}
