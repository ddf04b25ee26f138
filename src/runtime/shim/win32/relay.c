/* SPDX-License-Identifier: Apache-2.0
 *
 * A thread for each direction: pipes here cannot be waited for together. The shim closes its ends
 * after the last byte and before the exit event, so the readers of output end by themselves.
 */
#include "runtime/shim/relay.h"

#include <poll.h>
#include <windows.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/thread.h"
#include "runtime/shim/control.h"

struct pump {
  struct zl_shimclient_channel *channel;
  int stop_fd; /* an event: give up */
  pthread_t thread;
  bool started;
};

static void end_target(struct zl_shimclient_channel *c)
{
  if (c->close_to)
    zl_fd_closep(&c->to);
  c->to = -1;
}

/* False: it is called off. */
static bool await(const struct pump *p)
{
  struct pollfd fds[] = { { .fd = p->channel->from, .events = POLLIN },
                          { .fd = p->stop_fd, .events = POLLIN } };

  for (;;) {
    if (poll(fds, 2, -1) < 0)
      return false;
    if (fds[0].revents != 0)
      return true; /* what is there is taken, also after a stop */
    if (fds[1].revents != 0)
      return false;
  }
}

/* A reader that has gone loses the rest; the process goes on. */
static void *pump(void *arg)
{
  const struct pump *p = arg;
  struct zl_shimclient_channel *c = p->channel;
  ssize_t n;

  while (await(p) && (n = read(c->from, c->buffer, ZL_RELAY_BUFFER)) > 0)
    if (c->to >= 0 && zl_fd_write_full(c->to, c->buffer, (size_t)n) < 0)
      end_target(c);
  if (c->close_to)
    end_target(c);
  return NULL;
}

static int start(struct pump *p, struct zl_shimclient_channel *channel, int stop_fd,
                 struct zl_error *err)
{
  int code;

  *p = (struct pump){ .channel = channel, .stop_fd = stop_fd };
  if (channel->from < 0)
    return 0;
  code = pthread_create(&p->thread, NULL, pump, p);
  p->started = code == 0;
  return code == 0 ? 0 : zl_fail(err, ZL_E_SYSTEM, code, "starting a thread");
}

/* One that reads or writes at this moment is called off until it listens. */
static void finish(struct pump *p, bool by_force)
{
  HANDLE thread = p->started ? (HANDLE)pthread_gethandle(p->thread) : NULL;

  while (by_force && p->started && WaitForSingleObject(thread, 20) == WAIT_TIMEOUT)
    (void)CancelSynchronousIo(thread);
  if (p->started)
    (void)pthread_join(p->thread, NULL);
  p->started = false;
}

static int wait_for_exit(struct zl_shimclient_relay *relay, json_t **ret, struct zl_error *err)
{
  int r = 0;

  while (r == 0 && *ret == NULL) {
    zl_autojson *event = NULL;
    json_t *exit = NULL;

    r = zl_control_receive(relay->control_fd, UINT64_MAX, relay->cancel_fd, &event, NULL, err);
    if (r == -ZL_E_CANCELLED && relay->woken != NULL) {
      r = relay->woken(relay->ctx, err);
      continue;
    }
    if (r == 0)
      r = zl_json_get_object(event, "event", "exit", &exit, err);
    if (r == 0 && exit != NULL)
      *ret = json_incref(exit);
  }
  return r;
}

static int run(struct zl_shimclient_relay *relay, int stop_in, int stop_out, json_t **ret,
               struct zl_error *err)
{
  struct pump in = { .started = false }, out = { .started = false }, errs = { .started = false };
  int r = start(&out, &relay->out, stop_out, err);

  if (r == 0)
    r = start(&errs, &relay->err, stop_out, err);
  if (r == 0)
    r = start(&in, &relay->in, stop_in, err);
  if (r == 0)
    r = wait_for_exit(relay, ret, err);
  (void)write(stop_in, &(uint64_t){ 1 }, sizeof(uint64_t));
  if (r < 0)
    (void)write(stop_out, &(uint64_t){ 1 }, sizeof(uint64_t));
  finish(&in, true);
  finish(&out, r < 0);
  finish(&errs, r < 0);
  return r;
}

int zl_shimclient_relay_run(struct zl_shimclient_relay *relay, json_t **ret, struct zl_error *err)
{
  zl_autofree char *memory = malloc(3 * (size_t)ZL_RELAY_BUFFER);
  zl_autofd stop_in = eventfd(0, 0), stop_out = eventfd(0, 0);
  zl_autojson *exit = NULL;
  int r;

  if (memory == NULL)
    return zl_fail_nomem(err, "relay");
  if (stop_in < 0 || stop_out < 0)
    return zl_fail_errno(err, "making an event");
  relay->in.buffer = memory;
  relay->out.buffer = memory + ZL_RELAY_BUFFER;
  relay->err.buffer = memory + 2 * (size_t)ZL_RELAY_BUFFER;
  r = run(relay, stop_in, stop_out, &exit, err);
  if (r == 0)
    *ret = zl_steal_ptr(&exit);
  return r;
}
