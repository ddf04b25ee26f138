/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/limits.h"
#include "bridge/rpc.h"

struct flag {
  const char *key;
  bool *to;
};

static int parse_flags(const json_t *object, const char *path, const struct flag *flags, size_t n,
                       struct zl_error *err)
{
  int r = 0;

  for (size_t i = 0; r == 0 && i < n; i++)
    r = zl_json_get_bool(object, path, flags[i].key, false, flags[i].to, err);
  return r;
}

static int parse_guest_defined(const json_t *capabilities, struct zl_rpc_capabilities *ret,
                               struct zl_error *err)
{
  const struct flag flags[] = {
    { "NamespaceAddRequestSupported", &ret->namespace_add },
    { "SignalProcessSupported", &ret->signal_process },
    { "DumpStacksSupported", &ret->dump_stacks },
    { "DeleteContainerStateSupported", &ret->delete_container_state },
    { "UpdateContainerSupported", &ret->update_container },
    { "LogForwardingSupported", &ret->log_forwarding },
    { "HostProcessContainerSupported", &ret->host_process },
  };
  json_t *object;
  int r =
      zl_json_get_object(capabilities, "Capabilities", "GuestDefinedCapabilities", &object, err);

  if (r < 0)
    return r;
  return parse_flags(object, "GuestDefinedCapabilities", flags, ZL_COUNT(flags), err);
}

static int parse_os(const json_t *capabilities, bool *ret_windows, struct zl_error *err)
{
  const char *os;
  int r = zl_json_get_string(capabilities, "Capabilities", "RuntimeOsType", &os, err);

  if (r < 0)
    return r;
  *ret_windows = os == NULL || *os == '\0' || strcasecmp(os, "windows") == 0;
  if (!*ret_windows && strcasecmp(os, "linux") != 0)
    return zl_fail(err, ZL_E_INVALID, 0, "RuntimeOsType: '%.32s' is no system known here", os);
  return 0;
}

int zl_rpc_parse_capabilities(const json_t *reply, struct zl_rpc_capabilities *ret,
                              struct zl_error *err)
{
  struct zl_rpc_capabilities parsed = { 0 };
  const struct flag flags[] = {
    { "SendHostCreateMessage", &parsed.send_host_create },
    { "SendHostStartMessage", &parsed.send_host_start },
    { "HvSocketConfigOnStartup", &parsed.hvsocket_config },
    { "SendLifecycleNotifications", &parsed.lifecycle_notifications },
    { "ModifyServiceSettingsSupported", &parsed.modify_service_settings },
  };
  json_t *object = NULL;
  int64_t version;
  int r = zl_json_get_int(reply, "", "Version", 0, UINT32_MAX, 0, &version, err);

  if (r == 0 && version != 4)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0, "the guest speaks version %lld of the protocol, not 4",
                   (long long)version);
  if (r == 0)
    r = zl_json_get_object(reply, "", "Capabilities", &object, err);
  if (r == 0)
    r = parse_flags(object, "Capabilities", flags, ZL_COUNT(flags), err);
  if (r == 0)
    r = parse_os(object, &parsed.windows, err);
  if (r == 0)
    r = parse_guest_defined(object, &parsed, err);
  if (r < 0)
    return r;
  parsed.version = (unsigned)version;
  *ret = parsed;
  return 0;
}

/* A member that has to be there. */
static int need_int(const json_t *object, const char *key, int64_t max, int64_t *ret,
                    struct zl_error *err)
{
  if (json_object_get(object, key) == NULL)
    return zl_fail(err, ZL_E_INVALID, 0, "%s: missing in the guest's answer", key);
  return zl_json_get_int(object, "", key, 0, max, 0, ret, err);
}

int zl_rpc_parse_process_id(const json_t *reply, uint32_t *ret, struct zl_error *err)
{
  int64_t id;
  int r = need_int(reply, "ProcessId", UINT32_MAX, &id, err);

  if (r == 0)
    *ret = (uint32_t)id;
  return r;
}

int zl_rpc_parse_exit(const json_t *reply, struct zl_rpc_exit *ret, struct zl_error *err)
{
  int64_t code, number;
  bool oom_killed;
  int r = need_int(reply, "ExitCode", UINT32_MAX, &code, err);

  if (r == 0)
    r = zl_json_get_int(reply, "", "Signal", 0, 64, 0, &number, err);
  if (r == 0)
    r = zl_json_get_bool(reply, "", "OomKilled", false, &oom_killed, err);
  if (r == 0)
    *ret = (struct zl_rpc_exit){ (uint32_t)code, (int)number, oom_killed };
  return r;
}

int zl_rpc_parse_properties(const json_t *reply, json_t **ret, struct zl_error *err)
{
  zl_autojson *json = NULL;
  const char *text;
  int r = zl_json_get_string(reply, "", "Properties", &text, err);

  if (r == 0 && text == NULL)
    return zl_fail(err, ZL_E_INVALID, 0, "Properties: missing in the guest's answer");
  if (r == 0)
    r = zl_json_parse(text, strlen(text), "Properties", &json, err);
  if (r == 0 && !json_is_object(json))
    return zl_fail(err, ZL_E_INVALID, 0, "Properties: expected an object");
  if (r == 0)
    *ret = zl_steal_ptr(&json);
  return r;
}

static int need_object(const json_t *properties, const char *key, json_t **ret,
                       struct zl_error *err)
{
  int r = zl_json_get_object(properties, "Properties", key, ret, err);

  if (r == 0 && *ret == NULL)
    return zl_fail(err, ZL_E_NOT_FOUND, 0, "the guest gave no %s", key);
  return r;
}

/* JSON has signed numbers only: a negative one is UINT64_MAX, "none". */
static int get_counter(const json_t *object, const char *key, uint64_t *ret, struct zl_error *err)
{
  int64_t value;
  int r = zl_json_get_int(object, "Statistics", key, INT64_MIN, INT64_MAX, 0, &value, err);

  if (r == 0)
    *ret = value < 0 ? UINT64_MAX : (uint64_t)value;
  return r;
}

int zl_rpc_parse_statistics(const json_t *properties, struct zl_stats *ret, struct zl_error *err)
{
  struct zl_stats stats = { 0 };
  const struct {
    const char *key;
    uint64_t *to;
  } members[] = {
    { "time_ns", &stats.time_ns },
    { "cpu_usage_ns", &stats.cpu_usage_ns },
    { "cpu_system_ns", &stats.cpu_system_ns },
    { "memory_bytes", &stats.memory_bytes },
    { "memory_limit", &stats.memory_limit },
    { "pids", &stats.pids },
    { "pids_limit", &stats.pids_limit },
    { "block_read_bytes", &stats.block_read_bytes },
    { "block_write_bytes", &stats.block_write_bytes },
    { "net_rx_bytes", &stats.net_rx_bytes },
    { "net_tx_bytes", &stats.net_tx_bytes },
  };
  json_t *object;
  int64_t cpus = 0;
  int r = need_object(properties, "Statistics", &object, err);

  for (size_t i = 0; r == 0 && i < ZL_COUNT(members); i++)
    r = get_counter(object, members[i].key, members[i].to, err);
  if (r == 0)
    r = zl_json_get_int(object, "Statistics", "online_cpus", 0, UINT16_MAX, 0, &cpus, err);
  if (r < 0)
    return r;
  stats.online_cpus = (unsigned)cpus;
  *ret = stats;
  return 0;
}

int zl_rpc_parse_memory(const json_t *properties, uint64_t *ret_total, uint64_t *ret_available,
                        struct zl_error *err)
{
  json_t *object;
  int64_t total, available;
  int r = need_object(properties, "Memory", &object, err);

  if (r == 0)
    r = need_int(object, "TotalBytes", INT64_MAX, &total, err);
  if (r == 0)
    r = need_int(object, "AvailableBytes", INT64_MAX, &available, err);
  if (r < 0)
    return r;
  *ret_total = (uint64_t)total;
  *ret_available = (uint64_t)available;
  return 0;
}

int zl_rpc_parse_process_list(const json_t *properties, uint32_t *ids, size_t max,
                              size_t *ret_count, struct zl_error *err)
{
  json_t *list;
  int r = zl_json_get_array(properties, "Properties", "ProcessList", ZL_MAX_LIST, &list, err);

  if (r == 0 && list == NULL)
    return zl_fail(err, ZL_E_NOT_FOUND, 0, "the guest gave no ProcessList");
  for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
    uint32_t id;

    r = zl_rpc_parse_process_id(json_array_get(list, i), &id, err);
    if (r == 0 && i < max)
      ids[i] = id;
  }
  if (r == 0)
    *ret_count = json_array_size(list);
  return r;
}

const char *zl_rpc_stacks(const json_t *reply)
{
  const char *text = json_string_value(json_object_get(reply, "GuestStacks"));

  return text != NULL ? text : "";
}
