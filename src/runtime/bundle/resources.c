/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "base/json.h"
#include "runtime/bundle/bundle.h"

enum {
  CPU_PERIOD_US = 100000,
  /* Enough for any service; stops a fork bomb before the node's process table is full. */
  DEFAULT_PIDS = 2048
};

static void set(json_t *object, const char *key, uint64_t value)
{
  if (value != 0)
    (void)json_object_set_new(object, key,
                              json_integer(value == ZL_UNLIMITED ? -1 : (json_int_t)value));
}

static json_t *cpu_of(const struct zl_resources *res)
{
  json_t *cpu = json_object();

  set(cpu, "shares", res->cpu_shares);
  if (res->cpu > 0) {
    set(cpu, "quota", (uint64_t)llround(res->cpu * CPU_PERIOD_US));
    set(cpu, "period", CPU_PERIOD_US);
  }
  if (res->cpuset != NULL)
    (void)json_object_set_new(cpu, "cpus", json_string(res->cpuset));
  return cpu;
}

static json_t *memory_of(const struct zl_resources *res)
{
  json_t *memory = json_object();

  set(memory, "limit", res->memory);
  set(memory, "reservation", res->memory_reservation);
  set(memory, "swap", res->memory_swap);
  if (res->has_memory_swappiness)
    (void)json_object_set_new(memory, "swappiness", json_integer(res->memory_swappiness));
  if (res->oom_kill_disable)
    (void)json_object_set_new(memory, "disableOOMKiller", json_true());
  return memory;
}

static void set_if_filled(json_t *object, const char *key, json_t *value)
{
  if (json_object_size(value) > 0)
    (void)json_object_set(object, key, value);
  json_decref(value);
}

int zl_bundle_resources(const struct zl_bundle *bundle, json_t **ret, struct zl_error *err)
{
  const struct zl_resources *res = &bundle->plan->service->resources;
  json_int_t pids = res->pids_limit != 0 ? res->pids_limit : DEFAULT_PIDS;
  json_t *object = json_pack("{s:[], s:{s:I}}", "devices", "pids", "limit", pids);

  if (object == NULL)
    return zl_fail_nomem(err, "bundle");
  set_if_filled(object, "cpu", cpu_of(res));
  set_if_filled(object, "memory", memory_of(res));
  if (res->blkio_weight != 0)
    (void)json_object_set_new(object, "blockIO",
                              json_pack("{s:i}", "weight", (int)res->blkio_weight));
  *ret = object;
  return 0;
}
