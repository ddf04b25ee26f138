/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/vm/guest.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/time.h"

/* ---- The end of it ------------------------------------------------------------------------- */

static void break_off(struct guest *guest, const struct zl_error *why)
{
  if (guest->broken)
    return;
  guest->broken = true;
  guest->why = *why;
  loop_remove(guest->loop, &guest->bridge_source);
  loop_remove(guest->loop, &guest->stdio_source);
  if (guest->failed != NULL)
    guest->failed(guest);
}

static void client_broken(void *ctx, const struct zl_error *why)
{
  break_off(ctx, why);
}

static void client_notified(void *ctx, const struct zl_bridge_notification *notification)
{
  struct guest *guest = ctx;

  (void)notification; /* the only one that there is */
  if (guest->exited != NULL)
    guest->exited(guest);
}

/* ---- Bytes --------------------------------------------------------------------------------- */

static void set_timer(struct guest *guest)
{
  uint64_t at = zl_bridge_client_deadline(guest->client);
  struct itimerspec when = { 0 };

  if (at == guest->timer_at)
    return;
  guest->timer_at = at;
  if (at != UINT64_MAX) {
    when.it_value.tv_sec = (time_t)(at / ZL_NS_PER_S);
    when.it_value.tv_nsec = (long)(at % ZL_NS_PER_S);
  }
  (void)timerfd_settime(guest->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

/* One turn with a channel: what the peer sent is taken in, what waits is sent, and the loop is told
 * what to look for. The numbers of poll's events and epoll's are the same. */
static void serve(struct guest *guest, struct source *source, struct zl_link *link, uint32_t events)
{
  struct zl_error err = { 0 };
  int r;

  if (guest->broken)
    return;
  r = zl_link_pump(link, (short)events, &err);
  if (r == 0 && link->hung_up)
    r = zl_fail(&err, ZL_E_REMOTE, 0, "%s: the guest has hung up",
                link == &guest->bridge_link ? "guest bridge" : "streams of the guest");
  if (r < 0) {
    zl_bridge_client_end(guest->client, &err); /* its calls have no other reason than this one */
    break_off(guest, &err);
  }
  if (guest->broken)
    return;
  loop_change(guest->loop, source, (uint32_t)zl_link_events(link));
  set_timer(guest);
}

/* Answers make output for streams, and streams make none for the bridge; yet each may have queued
 * something for the other. */
static void bridge_ready(struct source *source, uint32_t events)
{
  struct guest *guest = container_of(source, struct guest, bridge_source);

  serve(guest, source, &guest->bridge_link, events);
  serve(guest, &guest->stdio_source, &guest->stdio_link, EPOLLOUT);
}

static void stdio_ready(struct source *source, uint32_t events)
{
  struct guest *guest = container_of(source, struct guest, stdio_source);

  serve(guest, source, &guest->stdio_link, events);
  serve(guest, &guest->bridge_source, &guest->bridge_link, EPOLLOUT);
}

static void timer_ready(struct source *source, uint32_t events)
{
  struct guest *guest = container_of(source, struct guest, timer_source);
  uint64_t count;

  (void)events;
  if (read(guest->timer_fd, &count, sizeof(count)) < 0)
    return;
  guest->timer_at = UINT64_MAX;
  zl_bridge_client_tick(guest->client, zl_time_boot());
  if (!guest->broken)
    set_timer(guest);
}

void guest_flush(struct guest *guest)
{
  if (guest->client == NULL)
    return;
  serve(guest, &guest->bridge_source, &guest->bridge_link, EPOLLOUT);
  serve(guest, &guest->stdio_source, &guest->stdio_link, EPOLLOUT);
}

/* ---- Connection ---------------------------------------------------------------------------- */

int guest_open(struct guest *guest, struct loop *loop, int bridge_fd, int stdio_fd,
               const struct zl_mux_hooks *streams, struct zl_error *err)
{
  struct zl_bridge_hooks hooks = { .ctx = guest,
                                   .notified = client_notified,
                                   .broken = client_broken };
  int r;

  guest->loop = loop;
  guest->bridge_fd = bridge_fd;
  guest->stdio_fd = stdio_fd;
  guest->timer_at = UINT64_MAX;
  guest->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
  if (guest->timer_fd < 0)
    return zl_fail_errno(err, "timer of the guest bridge");
  r = zl_bridge_client_new(&hooks, &guest->client, err);
  if (r == 0)
    r = zl_mux_new(ZL_MUX_HOST, streams, &guest->mux, err);
  if (r < 0)
    return r;
  zl_link_client(&guest->bridge_link, bridge_fd, guest->client);
  zl_link_mux(&guest->stdio_link, stdio_fd, guest->mux);
  r = loop_add(loop, &guest->bridge_source, bridge_fd, EPOLLIN, bridge_ready, err);
  if (r == 0)
    r = loop_add(loop, &guest->stdio_source, stdio_fd, EPOLLIN, stdio_ready, err);
  if (r == 0)
    r = loop_add(loop, &guest->timer_source, guest->timer_fd, EPOLLIN, timer_ready, err);
  return r;
}

void guest_close(struct guest *guest)
{
  if (guest->loop != NULL) {
    loop_remove(guest->loop, &guest->bridge_source);
    loop_remove(guest->loop, &guest->stdio_source);
    loop_remove(guest->loop, &guest->timer_source);
  }
  guest->broken = true;
  zl_bridge_client_free(guest->client);
  guest->client = NULL;
  zl_mux_free(guest->mux);
  guest->mux = NULL;
  zl_fd_closep(&guest->bridge_fd);
  zl_fd_closep(&guest->stdio_fd);
  zl_fd_closep(&guest->timer_fd);
}

/* ---- Calls --------------------------------------------------------------------------------- */

int guest_check(const struct guest *guest, struct zl_error *err)
{
  if (guest->client != NULL && !guest->broken)
    return 0;
  return zl_fail(err, ZL_E_REMOTE, 0, "the virtual machine does not answer any more");
}

bool guest_is_broken(const struct guest *guest)
{
  return guest->broken || guest->client == NULL || zl_bridge_client_is_broken(guest->client);
}

struct zl_rpc_then guest_then(zl_bridge_reply_fn fn, void *ctx, struct patience patience)
{
  return (struct zl_rpc_then){ .deadline_ns = patience_end(patience), .fn = fn, .ctx = ctx };
}

static void note(struct guest_batch *batch, const struct zl_error *err)
{
  batch->owed--;
  if (batch->first.code == ZL_OK)
    batch->first = *err;
}

static void batch_answered(void *ctx, int r, const json_t *reply, const struct zl_error *err)
{
  struct guest_batch *batch = ctx;

  (void)reply;
  if (r < 0)
    note(batch, err);
  else
    batch->owed--;
}

void guest_batch_begin(struct guest_batch *batch, struct guest *guest, struct patience patience)
{
  *batch =
      (struct guest_batch){ .guest = guest, .then = guest_then(batch_answered, batch, patience) };
}

const struct zl_rpc_then *guest_batch_next(struct guest_batch *batch)
{
  batch->owed++;
  return &batch->then;
}

void guest_batch_made(struct guest_batch *batch, int r)
{
  if (r < 0)
    note(batch, &batch->err);
}

int guest_batch_wait(struct guest_batch *batch, struct zl_error *err)
{
  int r = 0;

  guest_flush(batch->guest);
  while (r == 0 && batch->owed > 0)
    r = loop_turn(batch->guest->loop, err);
  if (r < 0)
    zl_bridge_client_hangup(batch->guest->client); /* no answer may come for a batch that is gone */
  if (r == 0 && batch->first.code != ZL_OK) {
    r = -(int)batch->first.code;
    if (err != NULL)
      *err = batch->first;
  }
  return r;
}
