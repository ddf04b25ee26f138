/* SPDX-License-Identifier: Apache-2.0
 *
 * What the builders of calls share. Only for rpc.c and rpc_windows.c.
 */
#ifndef ZL_BRIDGE_RPC_CALL_H
#define ZL_BRIDGE_RPC_CALL_H

#include "bridge/rpc.h"

/* Makes the call; `body` is released, NULL: it could not be built. */
int zl_rpc_send(struct zl_bridge_client *client, enum zl_bridge_message message,
                const char *container_id, json_t *body, const struct zl_rpc_then *then,
                struct zl_error *err);
/* ModifySettings; `settings` is released, NULL: it could not be built. */
int zl_rpc_modify(struct zl_bridge_client *client, const char *container_id, const char *request,
                  const char *resource, json_t *settings, const struct zl_rpc_then *then,
                  struct zl_error *err);
/* JSON text within a JSON string; `json` is released. NULL: it could not be built. */
json_t *zl_rpc_encode(json_t *json);

#endif
