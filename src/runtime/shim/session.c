/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/shim/session.h"

#include <stdio.h>

#include "base/fd.h"
#include "runtime/shim/control.h"
#include "runtime/shim/relay.h"

/* A shim that died took its container along: what it was is told by whoever reaps it. */
static int explain_loss(struct zl_shimclient_session *s, struct zl_outcome *ret,
                        struct zl_error *err)
{
  zl_autorecord record = { 0 };
  struct zl_observation seen;

  if (zl_record_load(s->backend->rt, s->target, &record, NULL) < 0 ||
      zl_observe(s->backend->rt, &record, &seen, NULL) < 0 || !zl_has_ended(&seen))
    return zl_fail(err, ZL_E_REMOTE, 0, "the shim of container '%s' has ended", s->target);
  *ret = seen.state.outcome;
  return 0;
}

static int session_run(struct zl_session *base, const struct zl_stdio *stdio,
                       struct zl_outcome *ret, struct zl_error *err)
{
  struct zl_shimclient_session *s = (struct zl_shimclient_session *)base;
  struct zl_shimclient_relay relay = {
    .in = { .from = stdio->in, .to = s->in, .close_to = !base->tty },
    .out = { .from = s->out, .to = stdio->out },
    .err = { .from = s->err, .to = stdio->err },
    .control_fd = s->control_fd,
    .cancel_fd = base->cancel_fd
  };
  zl_autojson *exit = NULL;
  int r;

  if (s->in < 0)
    relay.in.from = -1;
  if (stdio->in < 0 && !base->tty)
    zl_fd_closep(&relay.in.to);
  r = zl_shimclient_relay_run(&relay, &exit, err);
  if (r == 0)
    r = zl_ending_parse(exit, "event", ret, err);
  s->in = relay.in.to; /* it may have been closed */
  return r == -ZL_E_REMOTE ? explain_loss(s, ret, err) : r;
}

static int session_resize(struct zl_session *base, unsigned rows, unsigned cols,
                          struct zl_error *err)
{
  struct zl_shimclient_session *s = (struct zl_shimclient_session *)base;

  if (s->by_message && (rows == 0 || cols == 0))
    return 0; /* the caller's terminal does not know its own */
  if (s->by_message)
    return zl_control_send(s->control_fd,
                           json_pack("{s:s, s:i, s:i}", "op", "resize", "rows", rows, "cols", cols),
                           NULL, 0, err);
  if (s->master < 0)
    return zl_fail(err, ZL_E_CONFLICT, 0, "another client has the terminal");
  return zl_shimclient_set_size(s->master, rows, cols, err);
}

static void session_close(struct zl_session *base)
{
  struct zl_shimclient_session *s = (struct zl_shimclient_session *)base;

  zl_fd_closep(&s->in);
  zl_fd_closep(&s->out);
  zl_fd_closep(&s->err);
  zl_fd_closep(&s->master);
  zl_fd_closep(&s->control_fd);
}

static const struct zl_session_ops session_ops = { .run = session_run,
                                                   .resize = session_resize,
                                                   .close = session_close };

void zl_shimclient_session_free(struct zl_shimclient_session *session)
{
  zl_session_close(session != NULL ? &session->base : NULL);
}

int zl_shimclient_session_new(struct zl_backend *backend, const char *id,
                              struct zl_shimclient_session **ret, struct zl_error *err)
{
  ZL_CLEANUP(zl_shimclient_session_freep) struct zl_shimclient_session *s = calloc(1, sizeof(*s));
  int r;

  if (s == NULL)
    return zl_fail_nomem(err, "session");
  s->backend = backend;
  s->control_fd = s->in = s->out = s->err = s->master = -1;
  (void)snprintf(s->target, sizeof(s->target), "%s", id);
  r = zl_session_init(&s->base, &session_ops, err);
  if (r == 0)
    r = zl_shimclient_connect(backend->rt, id, &s->control_fd, err);
  if (r < 0)
    return r;
  *ret = zl_steal_ptr(&s);
  return 0;
}
