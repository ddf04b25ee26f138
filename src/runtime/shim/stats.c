/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "runtime/shim/control.h"
#include "runtime/shim/shimclient.h"

static int read_limit(const json_t *stats, const char *key, uint64_t *ret, struct zl_error *err)
{
  int64_t value = 0;
  int r = zl_json_get_int(stats, "stats", key, INT64_MIN, INT64_MAX, 0, &value, err);

  *ret = value < 0 || value == INT64_MAX ? UINT64_MAX : (uint64_t)value;
  return r;
}

static int parse_stats(const json_t *json, struct zl_stats *ret, struct zl_error *err)
{
  const struct {
    const char *key;
    uint64_t *to;
  } members[] = {
    { "time_ns", &ret->time_ns },
    { "cpu_usage_ns", &ret->cpu_usage_ns },
    { "cpu_system_ns", &ret->cpu_system_ns },
    { "memory_bytes", &ret->memory_bytes },
    { "memory_limit", &ret->memory_limit },
    { "pids", &ret->pids },
    { "pids_limit", &ret->pids_limit },
    { "block_read_bytes", &ret->block_read_bytes },
    { "block_write_bytes", &ret->block_write_bytes },
    { "net_rx_bytes", &ret->net_rx_bytes },
    { "net_tx_bytes", &ret->net_tx_bytes },
  };
  json_t *stats = NULL;
  const char *tier = NULL;
  int64_t cpus = 0;
  int r = zl_json_get_object(json, "reply", "stats", &stats, err);

  for (size_t i = 0; r == 0 && i < ZL_COUNT(members); i++)
    r = read_limit(stats, members[i].key, members[i].to, err);
  if (r == 0)
    r = zl_json_get_int(stats, "stats", "online_cpus", 0, UINT16_MAX, 0, &cpus, err);
  ret->online_cpus = (unsigned)cpus;
  if (r == 0)
    r = zl_json_get_string(json, "reply", "tier", &tier, err);
  (void)snprintf(ret->tier, sizeof(ret->tier), "%s", tier != NULL ? tier : "");
  return r;
}

int zl_shimclient_stats(struct zl_backend *backend, const char *id, struct zl_stats *ret,
                        struct zl_error *err)
{
  zl_autojson *reply = NULL;
  struct zl_stats stats = { 0 };
  zl_autofd fd = -1;
  int r = zl_shimclient_connect(backend->rt, id, &fd, err);

  if (r == 0)
    r = zl_control_call(fd, json_pack("{s:s}", "op", "stats"), &reply, err);
  if (r == 0)
    r = parse_stats(reply, &stats, err);
  if (r == 0)
    *ret = stats;
  return r == -ZL_E_REMOTE ? zl_shimclient_just_ended(backend, id, err) : r;
}
