/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests to a container's shim that have nothing to say back.
 */
#include "runtime/shim/control.h"
#include "runtime/shim/shimclient.h"

/* One request without anything to say back. */
static int ask(struct zl_backend *backend, const char *id, json_t *request, struct zl_error *err)
{
  zl_autojson *owned = request;
  zl_autofd fd = -1;
  int r = zl_shimclient_connect(backend->rt, id, &fd, err);

  if (r < 0)
    return r;
  r = zl_control_call(fd, json_incref(owned), NULL, err);
  return r == -ZL_E_REMOTE ? zl_shimclient_just_ended(backend, id, err) : r;
}

int zl_shimclient_start(struct zl_backend *backend, const char *id, struct zl_error *err)
{
  return ask(backend, id, json_pack("{s:s}", "op", "start"), err);
}

int zl_shimclient_kill(struct zl_backend *backend, const char *id, int signal, struct zl_error *err)
{
  return ask(backend, id, json_pack("{s:s, s:i}", "op", "kill", "signal", signal), err);
}

int zl_shimclient_pause(struct zl_backend *backend, const char *id, bool freeze,
                        struct zl_error *err)
{
  return ask(backend, id, json_pack("{s:s}", "op", freeze ? "pause" : "resume"), err);
}

/* The reply comes at the end; the shim goes on with the stop when we are gone. */
static int stop_by_shim(int fd, int signal, uint64_t grace_ms, struct zl_error *err)
{
  zl_autojson *reply = NULL;
  uint64_t patience = grace_ms > UINT32_MAX ? UINT32_MAX : grace_ms;
  uint64_t deadline = zl_time_boot() + patience * ZL_NS_PER_MS + ZL_CONTROL_PATIENCE;
  int r = zl_control_send(fd,
                          json_pack("{s:s, s:i, s:I}", "op", "stop", "signal", signal, "grace_ms",
                                    (json_int_t)grace_ms),
                          NULL, 0, err);

  return r < 0 ? r : zl_control_receive(fd, deadline, -1, &reply, NULL, err);
}

int zl_shimclient_stop(struct zl_backend *backend, const char *id, int signal, uint64_t grace_ms,
                       struct zl_error *err)
{
  zl_autofd fd = -1;
  int r = zl_shimclient_connect(backend->rt, id, &fd, err);

  if (r == 0)
    r = stop_by_shim(fd, signal, grace_ms, err);
  /* No shim any more, or it went while we asked: then the container has ended as well. */
  return r == -ZL_E_CONFLICT || r == -ZL_E_REMOTE ? 0 : r;
}
