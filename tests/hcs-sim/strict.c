/* SPDX-License-Identifier: Apache-2.0 */
#include "strict.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "unit/hcs/schema_match.h"
#include "unit/hcs/schema_tables.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
  NEWEST_MINOR = 1, /* schema version 2.1 is the newest that these hosts know */
  SIGNED = 0        /* bits of a number that may be below 0 */
};

/* What the published schema does not have: networks, and what guests are sent. */
static const struct field more[] = {
  { "Network", "ID", GUID, NULL, 0, 0 },
  { "Network", "Name", TEXT, NULL, 0, 0 },
  { "Network", "Type", TEXT, "NetworkType", 0, 0 },
  { "Network", "Policies", ANY, NULL, 0, 0 },
  { "Network", "MacPool", ANY, NULL, 0, 0 },
  { "Network", "Dns", OBJECT, "NetworkDns", 0, 0 },
  { "Network", "Ipams", OBJECTS, "Ipam", 0, 0 },
  { "Network", "Flags", NUMBER, NULL, 0, 32 },
  { "Network", "SchemaVersion", OBJECT, "Version", 0, 0 },
  { "NetworkDns", "Domain", TEXT, NULL, 0, 0 },
  { "NetworkDns", "Search", TEXTS, NULL, 0, 0 },
  { "NetworkDns", "ServerList", TEXTS, NULL, 0, 0 },
  { "NetworkDns", "Options", TEXTS, NULL, 0, 0 },
  { "Ipam", "Type", TEXT, "IpamType", 0, 0 },
  { "Ipam", "Subnets", OBJECTS, "Subnet", 0, 0 },
  { "Subnet", "IpAddressPrefix", TEXT, NULL, 0, 0 },
  { "Subnet", "Routes", OBJECTS, "Route", 0, 0 },
  { "Subnet", "Policies", ANY, NULL, 0, 0 },
  { "Subnet", "Flags", NUMBER, NULL, 0, 32 },
  { "Route", "NextHop", TEXT, NULL, 0, 0 },
  { "Route", "DestinationPrefix", TEXT, NULL, 0, 0 },
  { "Route", "Metric", NUMBER, NULL, 0, 16 },

  { "NetworkEndpoint", "ID", GUID, NULL, 0, 0 },
  { "NetworkEndpoint", "Name", TEXT, NULL, 0, 0 },
  { "NetworkEndpoint", "HostComputeNetwork", GUID, NULL, 0, 0 },
  { "NetworkEndpoint", "HostComputeNamespace", GUID, NULL, 0, 0 },
  { "NetworkEndpoint", "Policies", ANY, NULL, 0, 0 },
  { "NetworkEndpoint", "IpConfigurations", OBJECTS, "IpConfiguration", 0, 0 },
  { "NetworkEndpoint", "Dns", OBJECT, "NetworkDns", 0, 0 },
  { "NetworkEndpoint", "Routes", OBJECTS, "Route", 0, 0 },
  { "NetworkEndpoint", "MacAddress", TEXT, NULL, 0, 0 },
  { "NetworkEndpoint", "Flags", NUMBER, NULL, 0, 32 },
  { "NetworkEndpoint", "SchemaVersion", OBJECT, "Version", 0, 0 },
  { "IpConfiguration", "IpAddress", TEXT, NULL, 0, 0 },
  { "IpConfiguration", "PrefixLength", NUMBER, NULL, 0, 8 },

  { "NetworkNamespace", "ID", GUID, NULL, 0, 0 },
  { "NetworkNamespace", "Type", TEXT, "NamespaceType", 0, 0 },
  { "NetworkNamespace", "NamespaceId", NUMBER, NULL, 0, 32 },
  { "NetworkNamespace", "Resources", ANY, NULL, 0, 0 },
  { "NetworkNamespace", "SchemaVersion", OBJECT, "Version", 0, 0 },
  { "NetworkChange", "ResourceType", TEXT, NULL, 0, 0 },
  { "NetworkChange", "RequestType", TEXT, NULL, 0, 0 },
  { "NetworkChange", "Settings", ANY, NULL, 0, 0 },
  { "NetworkQuery", "SchemaVersion", OBJECT, "Version", 0, 0 },
  { "NetworkQuery", "Flags", NUMBER, NULL, 0, 32 },
  { "NetworkQuery", "Filter", TEXT, NULL, 0, 0 },

  { "LayerData", "SchemaVersion", OBJECT, "Version", 0, 0 },
  { "LayerData", "Layers", OBJECTS, "Layer", 0, 0 },
  { "OsLayerOptions", "Type", TEXT, "OsLayerType", 0, 0 },
  { "OsLayerOptions", "DisableCiCacheOptimization", FLAG, NULL, 0, 0 },
  { "OsLayerOptions", "SkipUpdateBcdForBoot", FLAG, NULL, 0, 0 },
  { "ExportLayerOptions", "IsWritableLayer", FLAG, NULL, 0, 0 },

  { "HostedDocument", "SchemaVersion", OBJECT, "Version", 0, 0 },
  { "HostedDocument", "Container", OBJECT, "Container", 0, 0 },
  { "GuestAddress", "LocalAddress", GUID, NULL, 0, 0 },
  { "GuestAddress", "ParentAddress", GUID, NULL, 0, 0 },
  { "GuestQuery", "PropertyTypes", TEXTS, NULL, 0, 0 },
  { "GuestHost", "SystemType", TEXT, NULL, 0, 0 },
  { "GuestHost", "TimeZoneInformation", OBJECT, "TimeZone", 0, 0 },
  { "TimeZone", "Bias", NUMBER, NULL, 0, SIGNED },
  { "TimeZone", "StandardName", TEXT, NULL, 0, 0 },
  { "TimeZone", "StandardDate", OBJECT, "ZoneDate", 0, 0 },
  { "TimeZone", "StandardBias", NUMBER, NULL, 0, SIGNED },
  { "TimeZone", "DaylightName", TEXT, NULL, 0, 0 },
  { "TimeZone", "DaylightDate", OBJECT, "ZoneDate", 0, 0 },
  { "TimeZone", "DaylightBias", NUMBER, NULL, 0, SIGNED },
  { "ZoneDate", "Year", NUMBER, NULL, 0, 16 },
  { "ZoneDate", "Month", NUMBER, NULL, 0, 16 },
  { "ZoneDate", "DayOfWeek", NUMBER, NULL, 0, 16 },
  { "ZoneDate", "Day", NUMBER, NULL, 0, 16 },
  { "ZoneDate", "Hour", NUMBER, NULL, 0, 16 },
  { "ZoneDate", "Minute", NUMBER, NULL, 0, 16 },
  { "ZoneDate", "Second", NUMBER, NULL, 0, 16 },
  { "ZoneDate", "Milliseconds", NUMBER, NULL, 0, 16 },

  { "guest:NegotiateProtocol", "MinimumVersion", NUMBER, NULL, 0, 32 },
  { "guest:NegotiateProtocol", "MaximumVersion", NUMBER, NULL, 0, 32 },
  { "guest:Create", "ContainerConfig", TEXT, NULL, 0, 0 },
  { "guest:ExecuteProcess", "Settings", OBJECT, "ExecuteSettings", 0, 0 },
  { "ExecuteSettings", "ProcessParameters", TEXT, NULL, 0, 0 },
  { "ExecuteSettings", "StdioRelaySettings", OBJECT, "StdioRelay", 0, 0 },
  { "StdioRelay", "StdIn", GUID, NULL, 0, 0 },
  { "StdioRelay", "StdOut", GUID, NULL, 0, 0 },
  { "StdioRelay", "StdErr", GUID, NULL, 0, 0 },
  { "guest:WaitForProcess", "ProcessId", NUMBER, NULL, 0, 32 },
  { "guest:WaitForProcess", "TimeoutInMs", NUMBER, NULL, 0, 32 },
  { "guest:SignalProcess", "ProcessId", NUMBER, NULL, 0, 32 },
  { "guest:SignalProcess", "Options", OBJECT, "SignalProcessOptions", 0, 0 },
  { "guest:ResizeConsole", "ProcessId", NUMBER, NULL, 0, 32 },
  { "guest:ResizeConsole", "Height", NUMBER, NULL, 0, 16 },
  { "guest:ResizeConsole", "Width", NUMBER, NULL, 0, 16 },
  { "guest:GetProperties", "Query", TEXT, NULL, 0, 0 },
  { "guest:ModifySettings", "Request", OBJECT, "GuestModifySettingRequest", 0, 0 },
};

static const struct value more_values[] = {
  { "NetworkType", "NAT" },       { "NetworkType", "Transparent" },
  { "NetworkType", "L2Bridge" },  { "NetworkType", "L2Tunnel" },
  { "NetworkType", "ICS" },       { "NetworkType", "Private" },
  { "NetworkType", "Overlay" },   { "NetworkType", "Internal" },
  { "IpamType", "Static" },       { "IpamType", "Dhcp" },
  { "NamespaceType", "Host" },    { "NamespaceType", "HostDefault" },
  { "NamespaceType", "Guest" },   { "NamespaceType", "GuestDefault" },
  { "OsLayerType", "Container" }, { "OsLayerType", "Vm" },
};

struct walk {
  char *why;
  size_t size;
};

static bool wrong(const struct walk *w, const char *path, const char *what)
{
  (void)snprintf(w->why, w->size, "%s: %s", path, what);
  return false;
}

static const struct field *find(const char *object, const char *name)
{
  for (size_t i = 0; i < COUNT(fields); i++)
    if (strcmp(fields[i].object, object) == 0 && strcmp(fields[i].name, name) == 0)
      return &fields[i];
  for (size_t i = 0; i < COUNT(more); i++)
    if (strcmp(more[i].object, object) == 0 && strcmp(more[i].name, name) == 0)
      return &more[i];
  return NULL;
}

static bool knows_value(const char *type, const char *name)
{
  for (size_t i = 0; i < COUNT(values); i++)
    if (strcmp(values[i].type, type) == 0 && strcmp(values[i].name, name) == 0)
      return true;
  for (size_t i = 0; i < COUNT(more_values); i++)
    if (strcmp(more_values[i].type, type) == 0 && strcmp(more_values[i].name, name) == 0)
      return true;
  return false;
}

static bool check_object(const struct walk *w, const json_t *object, const char *type,
                         const char *path);

static bool check_text(const struct walk *w, const json_t *value, const struct field *f,
                       const char *path)
{
  const char *text = json_string_value(value);

  if (text == NULL)
    return wrong(w, path, "no text");
  if (f->kind == GUID && (strlen(text) != GUID_LEN || !schema_is_guid(text, GUID_ANY)))
    return wrong(w, path, "no GUID");
  return f->kind == GUID || f->type == NULL || knows_value(f->type, text)
             ? true
             : wrong(w, path, "no such value");
}

static bool check_number(const struct walk *w, const json_t *value, const struct field *f,
                         const char *path)
{
  json_int_t number = json_integer_value(value);

  if (!json_is_integer(value) || (number < 0 && f->bits != SIGNED))
    return wrong(w, path, "no such number");
  return f->bits == SIGNED || f->bits >= 63 || number >> f->bits == 0
             ? true
             : wrong(w, path, "too large for its type");
}

static bool check_item(const struct walk *w, const json_t *item, const struct field *f,
                       const char *path)
{
  if (f->kind == OBJECTS || f->kind == MAP)
    return check_object(w, item, f->type, path);
  if (f->kind == NUMBERS)
    return check_number(w, item, f, path);
  if (!json_is_string(item))
    return wrong(w, path, "no text");
  return f->kind != TEXTS || f->type == NULL || knows_value(f->type, json_string_value(item))
             ? true
             : wrong(w, path, "no such value");
}

static bool check_array(const struct walk *w, const json_t *value, const struct field *f,
                        const char *path)
{
  char place[1024];

  if (!json_is_array(value))
    return wrong(w, path, "no array");
  for (size_t i = 0; i < json_array_size(value); i++) {
    (void)snprintf(place, sizeof(place), "%s[%u]", path, (unsigned)i);
    if (!check_item(w, json_array_get(value, i), f, place))
      return false;
  }
  return true;
}

static bool check_map(const struct walk *w, const json_t *value, const struct field *f,
                      const char *path)
{
  char place[1024];

  if (!json_is_object(value))
    return wrong(w, path, "no object");
  for (void *it = json_object_iter((json_t *)(uintptr_t)value); it != NULL;
       it = json_object_iter_next((json_t *)(uintptr_t)value, it)) {
    (void)snprintf(place, sizeof(place), "%s.%s", path, json_object_iter_key(it));
    if (!check_item(w, json_object_iter_value(it), f, place))
      return false;
  }
  return true;
}

static bool check_field(const struct walk *w, const json_t *value, const struct field *f,
                        const char *path)
{
  if (f->minor > NEWEST_MINOR)
    return wrong(w, path, "unknown field (of a newer schema)");
  switch (f->kind) {
  case TEXT:
  case GUID:
    return check_text(w, value, f, path);
  case FLAG:
    return json_is_boolean(value) ? true : wrong(w, path, "no boolean");
  case NUMBER:
    return check_number(w, value, f, path);
  case OBJECT:
    return check_object(w, value, f->type, path);
  case OBJECTS:
  case TEXTS:
  case NUMBERS:
    return check_array(w, value, f, path);
  case MAP:
  case TEXT_MAP:
    return check_map(w, value, f, path);
  case ANY:
    return true;
  }
  return false;
}

static bool check_object(const struct walk *w, const json_t *object, const char *type,
                         const char *path)
{
  char place[1024];

  if (!json_is_object(object))
    return wrong(w, path, "no object");
  for (void *it = json_object_iter((json_t *)(uintptr_t)object); it != NULL;
       it = json_object_iter_next((json_t *)(uintptr_t)object, it)) {
    const struct field *f = find(type, json_object_iter_key(it));

    (void)snprintf(place, sizeof(place), "%s.%s", path, json_object_iter_key(it));
    if (f == NULL)
      return wrong(w, place, "unknown field");
    if (!check_field(w, json_object_iter_value(it), f, place))
      return false;
  }
  return true;
}

bool sim_strict(const json_t *document, const char *type, char *why, size_t size)
{
  const struct walk walk = { why, size };

  if (document == NULL)
    return wrong(&walk, "$", "no JSON");
  return strcmp(type, "*") == 0 || check_object(&walk, document, type, "$");
}

const char *sim_strict_of_path(const char *path)
{
  for (size_t i = 0; i < COUNT(paths); i++)
    if (schema_matches(paths[i].pattern, path, GUID_ANY))
      return paths[i].type;
  return NULL;
}

const char *sim_strict_of_resource(const char *resource)
{
  if (strcmp(resource, "HvSocket") == 0)
    return "GuestAddress";
  for (size_t i = 0; i < COUNT(resources); i++)
    if (strcmp(resources[i].resource, resource) == 0)
      return strcmp(resource, "NetworkNamespace") == 0 ? "NetworkNamespace" : resources[i].type;
  return NULL;
}
