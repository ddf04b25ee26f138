/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/rpc_windows.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "bridge/rpc_call.h"

/* The host as the guest's sockets know it. */
#define PARENT_ADDRESS "894cc2d6-9d79-424f-93fe-42969ae6d8d1"

const char *zl_bridge_service_guid(uint32_t port, char text[ZL_GUID_TEXT])
{
  (void)snprintf(text, ZL_GUID_TEXT, "%08" PRIx32 "-facb-11e6-bd58-64006a7986d3", port);
  return text;
}

static json_t *date_json(const struct zl_rpc_time_zone_date *date)
{
  if (date->month == 0)
    return json_object();
  return json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "Year", date->year, "Month",
                   date->month, "DayOfWeek", date->day_of_week, "Day", date->day, "Hour",
                   date->hour, "Minute", date->minute, "Second", date->second, "Milliseconds",
                   date->milliseconds);
}

static json_t *zone_json(const struct zl_rpc_time_zone *zone)
{
  return json_pack("{s:i, s:s, s:o, s:i, s:s, s:o, s:i}", "Bias", zone->bias, "StandardName",
                   zone->standard_name, "StandardDate", date_json(&zone->standard_date),
                   "StandardBias", zone->standard_bias, "DaylightName", zone->daylight_name,
                   "DaylightDate", date_json(&zone->daylight_date), "DaylightBias",
                   zone->daylight_bias);
}

int zl_rpc_windows_create_host(struct zl_bridge_client *client, const struct zl_rpc_time_zone *zone,
                               const struct zl_rpc_then *then, struct zl_error *err)
{
  static const struct zl_rpc_time_zone utc = { .standard_name = "Coordinated Universal Time",
                                               .daylight_name = "Coordinated Universal Time" };
  /* A guest that is told no time zone does not survive it. */
  json_t *config = json_pack("{s:s, s:o}", "SystemType", "Container", "TimeZoneInformation",
                             zone_json(zone != NULL ? zone : &utc));
  json_t *body = json_pack("{s:o}", "ContainerConfig", zl_rpc_encode(config));

  return zl_rpc_send(client, ZL_BRIDGE_CREATE, NULL, body, then, err);
}

int zl_rpc_windows_hvsocket(struct zl_bridge_client *client, const char *runtime_id,
                            const struct zl_rpc_then *then, struct zl_error *err)
{
  json_t *settings =
      json_pack("{s:s, s:s}", "LocalAddress", runtime_id, "ParentAddress", PARENT_ADDRESS);

  return zl_rpc_modify(client, NULL, "Update", "HvSocket", settings, then, err);
}

int zl_rpc_windows_modify(struct zl_bridge_client *client, const char *request,
                          const char *resource, const json_t *settings,
                          const struct zl_rpc_then *then, struct zl_error *err)
{
  return zl_rpc_modify(client, NULL, request, resource,
                       settings != NULL ? json_deep_copy(settings) : json_object(), then, err);
}

int zl_rpc_windows_create(struct zl_bridge_client *client, const char *container_id,
                          json_t *container, const struct zl_rpc_then *then, struct zl_error *err)
{
  /* Without the version around it the document would be read as one of schema 1. */
  json_t *config = json_pack("{s:{s:i, s:i}, s:O}", "SchemaVersion", "Major", 2, "Minor", 1,
                             "Container", container);
  json_t *body = json_pack("{s:o}", "ContainerConfig", zl_rpc_encode(config));

  return zl_rpc_send(client, ZL_BRIDGE_CREATE, container_id, body, then, err);
}

static int set_service(json_t *object, const char *key, uint32_t port)
{
  char guid[ZL_GUID_TEXT];

  if (port == 0)
    return 0;
  return json_object_set_new(object, key, json_string(zl_bridge_service_guid(port, guid)));
}

static json_t *relay_json(const struct zl_rpc_windows_ports *ports)
{
  zl_autojson *json = json_object();
  int r = json != NULL ? 0 : -1;

  r |= set_service(json, "StdIn", ports->in);
  r |= set_service(json, "StdOut", ports->out);
  r |= set_service(json, "StdErr", ports->err);
  return r == 0 ? zl_steal_ptr(&json) : NULL;
}

int zl_rpc_windows_execute(struct zl_bridge_client *client, const char *container_id,
                           const json_t *parameters, const struct zl_rpc_windows_ports *ports,
                           const struct zl_rpc_then *then, struct zl_error *err)
{
  json_t *body =
      json_pack("{s:{s:o, s:o}}", "Settings", "ProcessParameters",
                zl_rpc_encode(json_deep_copy(parameters)), "StdioRelaySettings", relay_json(ports));

  return zl_rpc_send(client, ZL_BRIDGE_EXECUTE_PROCESS, container_id, body, then, err);
}

int zl_rpc_windows_signal(struct zl_bridge_client *client, const char *container_id,
                          uint32_t process_id, const char *name, const struct zl_rpc_then *then,
                          struct zl_error *err)
{
  json_t *body = json_pack("{s:I}", "ProcessId", (json_int_t)process_id);

  if (body != NULL && name != NULL &&
      json_object_set_new(body, "Options", json_pack("{s:s}", "Signal", name)) < 0)
    zl_json_decref(&body);
  return zl_rpc_send(client, ZL_BRIDGE_SIGNAL_PROCESS, container_id, body, then, err);
}
