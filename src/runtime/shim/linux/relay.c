/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/shim/relay.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "runtime/shim/control.h"

enum {
  SLOT_IN_FROM,
  SLOT_IN_TO,
  SLOT_OUT_FROM,
  SLOT_OUT_TO,
  SLOT_ERR_FROM,
  SLOT_ERR_TO,
  SLOT_CONTROL,
  SLOT_CANCEL,
  SLOTS
};

/* ---- SIGPIPE ---- */

/* Writing to a pipe that nobody reads must be an error for us, not the death of the program we are
 * part of. The signal is directed at the writing thread, so blocking it here is enough. */
struct sigpipe_guard {
  sigset_t old;
  bool was_pending;
};

static void sigpipe_block(struct sigpipe_guard *guard)
{
  sigset_t pipe_set, pending;

  (void)sigemptyset(&pipe_set);
  (void)sigaddset(&pipe_set, SIGPIPE);
  (void)sigpending(&pending);
  guard->was_pending = sigismember(&pending, SIGPIPE) == 1;
  (void)pthread_sigmask(SIG_BLOCK, &pipe_set, &guard->old);
}

static void sigpipe_restore(struct sigpipe_guard *guard)
{
  struct timespec now = { 0 };
  sigset_t pipe_set;

  (void)sigemptyset(&pipe_set);
  (void)sigaddset(&pipe_set, SIGPIPE);
  if (!guard->was_pending)
    while (sigtimedwait(&pipe_set, NULL, &now) < 0 && errno == EINTR)
      ;
  (void)pthread_sigmask(SIG_SETMASK, &guard->old, NULL);
}

/* ---- One direction ---- */

static void end_target(struct zl_shimclient_channel *c)
{
  if (c->close_to)
    zl_fd_closep(&c->to);
  c->to = -1;
  c->len = 0;
}

static void channel_read(struct zl_shimclient_channel *c)
{
  ssize_t n = read(c->from, c->buffer, ZL_RELAY_BUFFER);

  if (n < 0 && (errno == EINTR || errno == EAGAIN))
    return;
  if (n <= 0) { /* EIO: a terminal without anybody on the other side */
    c->from = -1;
    if (c->close_to)
      end_target(c);
    return;
  }
  c->at = 0;
  c->len = c->to >= 0 ? (size_t)n : 0;
}

/* At most PIPE_BUF bytes: after poll(2) said that there is room, so much never blocks. */
static void channel_write(struct zl_shimclient_channel *c)
{
  size_t len = c->len < PIPE_BUF ? c->len : PIPE_BUF;
  ssize_t n = write(c->to, c->buffer + c->at, len);

  if (n < 0 && (errno == EINTR || errno == EAGAIN))
    return;
  if (n < 0) { /* the reader has gone: the rest is dropped, the process goes on */
    end_target(c);
    return;
  }
  c->at += (size_t)n;
  c->len -= (size_t)n;
}

static void channel_poll(const struct zl_shimclient_channel *c, struct pollfd *from,
                         struct pollfd *to)
{
  *from = (struct pollfd){ .fd = c->len == 0 ? c->from : -1, .events = POLLIN };
  *to = (struct pollfd){ .fd = c->len > 0 ? c->to : -1, .events = POLLOUT };
}

static void channel_step(struct zl_shimclient_channel *c, const struct pollfd *from,
                         const struct pollfd *to)
{
  if (to->fd >= 0 && to->revents != 0)
    channel_write(c);
  else if (from->fd >= 0 && from->revents != 0)
    channel_read(c);
}

/* ---- All ---- */

static int read_event(struct zl_shimclient_relay *relay, json_t **ret, struct zl_error *err)
{
  zl_autojson *event = NULL;
  json_t *exit = NULL;
  int r = zl_control_receive(relay->control_fd, UINT64_MAX, -1, &event, NULL, err);

  if (r == 0)
    r = zl_json_get_object(event, "event", "exit", &exit, err);
  if (r < 0 || exit == NULL)
    return r;
  *ret = json_incref(exit);
  return 0;
}

/* After the end only what is there already is taken: a process in the background may hold the
 * streams open for ever. */
static bool has_output(const struct zl_shimclient_relay *relay, const struct pollfd fds[SLOTS])
{
  return relay->out.len > 0 || relay->err.len > 0 || (fds[SLOT_OUT_FROM].revents & POLLIN) != 0 ||
         (fds[SLOT_ERR_FROM].revents & POLLIN) != 0;
}

static int poll_all(struct zl_shimclient_relay *relay, bool ended, struct pollfd fds[SLOTS],
                    struct zl_error *err)
{
  bool stuck = relay->out.len > 0 || relay->err.len > 0;

  channel_poll(&relay->in, &fds[SLOT_IN_FROM], &fds[SLOT_IN_TO]);
  channel_poll(&relay->out, &fds[SLOT_OUT_FROM], &fds[SLOT_OUT_TO]);
  channel_poll(&relay->err, &fds[SLOT_ERR_FROM], &fds[SLOT_ERR_TO]);
  if (ended)
    fds[SLOT_IN_FROM].fd = fds[SLOT_IN_TO].fd = -1;
  fds[SLOT_CONTROL] = (struct pollfd){ .fd = ended ? -1 : relay->control_fd, .events = POLLIN };
  fds[SLOT_CANCEL] = (struct pollfd){ .fd = relay->cancel_fd, .events = POLLIN };
  if (poll(fds, SLOTS, ended && !stuck ? 0 : -1) < 0 && errno != EINTR)
    return zl_fail_errno(err, "waiting for output");
  return 0;
}

static int wake(struct zl_shimclient_relay *relay, struct zl_error *err)
{
  return relay->woken != NULL ? relay->woken(relay->ctx, err)
                              : zl_fail(err, ZL_E_CANCELLED, 0, "cancelled");
}

static int loop(struct zl_shimclient_relay *relay, json_t **ret, struct zl_error *err)
{
  for (;;) {
    struct pollfd fds[SLOTS];
    bool ended = *ret != NULL;
    int r = poll_all(relay, ended, fds, err);

    if (r == 0 && fds[SLOT_CANCEL].revents != 0)
      r = wake(relay, err);
    if (r < 0 || (ended && !has_output(relay, fds)))
      return r;
    channel_step(&relay->out, &fds[SLOT_OUT_FROM], &fds[SLOT_OUT_TO]);
    channel_step(&relay->err, &fds[SLOT_ERR_FROM], &fds[SLOT_ERR_TO]);
    channel_step(&relay->in, &fds[SLOT_IN_FROM], &fds[SLOT_IN_TO]);
    if (fds[SLOT_CONTROL].revents != 0)
      r = read_event(relay, ret, err);
    if (r < 0)
      return r;
  }
}

int zl_shimclient_relay_run(struct zl_shimclient_relay *relay, json_t **ret, struct zl_error *err)
{
  zl_autofree char *memory = malloc(3 * (size_t)ZL_RELAY_BUFFER);
  struct sigpipe_guard guard;
  zl_autojson *exit = NULL;
  int r;

  if (memory == NULL)
    return zl_fail_nomem(err, "relay");
  relay->in.buffer = memory;
  relay->out.buffer = memory + ZL_RELAY_BUFFER;
  relay->err.buffer = memory + 2 * (size_t)ZL_RELAY_BUFFER;
  sigpipe_block(&guard);
  r = loop(relay, &exit, err);
  sigpipe_restore(&guard);
  if (r == 0)
    *ret = zl_steal_ptr(&exit);
  return r;
}
