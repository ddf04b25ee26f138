/* SPDX-License-Identifier: Apache-2.0
 *
 * The calls that only the agent of a Windows utility VM understands. Nothing here needs Windows;
 * the rest of the conversation is that of rpc.h. Texts are UTF-8.
 */
#ifndef ZL_BRIDGE_RPC_WINDOWS_H
#define ZL_BRIDGE_RPC_WINDOWS_H

#include "bridge/rpc.h"

enum {
  ZL_GUID_TEXT = 37 /* "40000001-facb-11e6-bd58-64006a7986d3" and its NUL */
};

/* The service that stands for a vsock port. Returns `text`. */
const char *zl_bridge_service_guid(uint32_t port, char text[ZL_GUID_TEXT]);

/* What GetTimeZoneInformation gives. A date with month 0 is none. */
struct zl_rpc_time_zone_date {
  int year, month, day_of_week, day, hour, minute, second, milliseconds;
};
struct zl_rpc_time_zone {
  int bias, standard_bias, daylight_bias; /* minutes */
  const char *standard_name, *daylight_name;
  struct zl_rpc_time_zone_date standard_date, daylight_date;
};
/* Creates the machine's own container, when the guest's capabilities ask for it. `zone` NULL: UTC.
 */
int zl_rpc_windows_create_host(struct zl_bridge_client *client, const struct zl_rpc_time_zone *zone,
                               const struct zl_rpc_then *then, struct zl_error *err);
/* Tells the machine its own address on the host's sockets. */
int zl_rpc_windows_hvsocket(struct zl_bridge_client *client, const char *runtime_id,
                            const struct zl_rpc_then *then, struct zl_error *err);
/* A change of the machine; `settings` is borrowed, and NULL: there are none. */
int zl_rpc_windows_modify(struct zl_bridge_client *client, const char *request,
                          const char *resource, const json_t *settings,
                          const struct zl_rpc_then *then, struct zl_error *err);
/* `container` is a Container document of schema 2.1. */
int zl_rpc_windows_create(struct zl_bridge_client *client, const char *container_id,
                          json_t *container, const struct zl_rpc_then *then, struct zl_error *err);

/* `parameters` is a ProcessParameters document of schema 2.1. The streams' ports; 0: no such
 * stream. The guest dials each before it answers. */
struct zl_rpc_windows_ports {
  uint32_t in, out, err;
};
int zl_rpc_windows_execute(struct zl_bridge_client *client, const char *container_id,
                           const json_t *parameters, const struct zl_rpc_windows_ports *ports,
                           const struct zl_rpc_then *then, struct zl_error *err);
/* `name` is "CtrlC", "CtrlShutdown" …; NULL ends the process. */
int zl_rpc_windows_signal(struct zl_bridge_client *client, const char *container_id,
                          uint32_t process_id, const char *name, const struct zl_rpc_then *then,
                          struct zl_error *err);

#endif
