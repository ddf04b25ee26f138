/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/cold_start.h"

#include "base/json.h"

static int make_negotiate(void *ctx, struct zl_bridge_client *client,
                          const struct zl_rpc_then *then, struct zl_error *err)
{
  (void)ctx;
  return zl_rpc_negotiate(client, then, err);
}

static int make_create(void *ctx, struct zl_bridge_client *client, const struct zl_rpc_then *then,
                       struct zl_error *err)
{
  const struct zl_cold_start *how = ctx;

  return zl_rpc_windows_create_host(client, how->zone, then, err);
}

static int make_start(void *ctx, struct zl_bridge_client *client, const struct zl_rpc_then *then,
                      struct zl_error *err)
{
  (void)ctx;
  return zl_rpc_start(client, ZL_BRIDGE_NULL_GUID, then, err);
}

static int make_addresses(void *ctx, struct zl_bridge_client *client,
                          const struct zl_rpc_then *then, struct zl_error *err)
{
  const struct zl_cold_start *how = ctx;

  return zl_rpc_windows_hvsocket(client, how->runtime_id, then, err);
}

static int negotiate(struct zl_conn *conn, const struct zl_cold_start *how,
                     struct zl_rpc_capabilities *ret, struct zl_error *err)
{
  zl_autojson *reply = NULL;
  int r = zl_conn_call(conn, make_negotiate, NULL, how->deadline_ns, &reply, err);

  if (r == 0)
    r = zl_rpc_parse_capabilities(reply, ret, err);
  if (r == 0 && !ret->windows)
    r = zl_fail(err, ZL_E_UNSUPPORTED, 0, "the guest is no Windows");
  return r;
}

struct step {
  const char *name;
  zl_conn_make_fn make;
  bool wanted;
};

int zl_bridge_cold_start(struct zl_conn *conn, const struct zl_cold_start *how,
                         struct zl_rpc_capabilities *ret, struct zl_error *err)
{
  struct zl_cold_start copy = *how;
  struct zl_rpc_capabilities got = { 0 };
  int r = negotiate(conn, how, &got, err);
  const struct step steps[] = { { "its own container", make_create, got.send_host_create },
                                { "start of its own container", make_start, got.send_host_start },
                                { "addresses of sockets", make_addresses, true } };

  if (r < 0)
    return err != NULL ? zl_wrap(err, "negotiation") : r;
  for (size_t i = 0; i < ZL_COUNT(steps); i++) {
    if (!steps[i].wanted)
      continue;
    r = zl_conn_call(conn, steps[i].make, &copy, how->deadline_ns, NULL, err);
    if (r < 0)
      return err != NULL ? zl_wrap(err, "%s", steps[i].name) : r;
  }
  *ret = got;
  return 0;
}
