/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "runtime/shim/control.h"
#include "runtime/shim/session.h"

static int ask(struct zl_shimclient_session *s, int out, int err_fd, struct zl_error *err)
{
  const int fds[] = { out, err_fd };
  zl_autojson *reply = NULL;
  int input = -1;
  int r = zl_control_send(s->control_fd, json_pack("{s:s}", "op", "attach"), fds, 2, err);

  if (r == 0)
    r = zl_control_receive(s->control_fd, zl_time_boot() + ZL_CONTROL_PATIENCE, -1, &reply, &input,
                           err);
  if (r < 0)
    return r;
  s->in = input;
  s->base.tty = json_is_true(json_object_get(reply, "tty"));
  s->by_message = json_is_true(json_object_get(reply, "resize"));
  if (!s->base.tty || input < 0 || s->by_message)
    return 0;
  s->master = zl_fd_copy(input);
  if (s->master < 0)
    return zl_fail(err, ZL_E_SYSTEM, -s->master, "copying a descriptor");
  return 0;
}

int zl_shimclient_attach(struct zl_backend *backend, const char *id, struct zl_session **ret,
                         struct zl_error *err)
{
  ZL_CLEANUP(zl_shimclient_session_freep) struct zl_shimclient_session *s = NULL;
  zl_autofd out = -1, err_fd = -1;
  int r = zl_shimclient_session_new(backend, id, &s, err);

  if (r == 0)
    r = zl_shimclient_pipe_from(&s->out, &out, err);
  if (r == 0)
    r = zl_shimclient_pipe_from(&s->err, &err_fd, err);
  if (r == 0)
    r = ask(s, out, err_fd, err);
  if (r == 0)
    *ret = &zl_steal_ptr(&s)->base;
  return r == -ZL_E_REMOTE ? zl_shimclient_just_ended(backend, id, err) : r;
}
