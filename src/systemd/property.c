/* SPDX-License-Identifier: Apache-2.0 */
#include "systemd/property.h"

#include <stdio.h>
#include <string.h>

#include "base/strv.h"
#include "engine/cgroup.h"
#include "engine/devices_policy.h"
#include "engine/schedule.h"

enum {
  HAS_QUOTA_PERIOD = 242, /* versions of systemd */
  HAS_ALLOWED_CPUS = 244,
  DEFAULT_PERIOD_US = 100000,
  PERCENT_US = 10000 /* of a second: what systemd counts a quota in */
};

#define INFINITY UINT64_MAX

/* ---- One property -------------------------------------------------------------------------- */

static void begin(struct zl_dbus_out *out, const char *name, const char *signature)
{
  zl_dbus_put_pad(out, 8);
  zl_dbus_put_string(out, name);
  zl_dbus_put_signature(out, signature);
}

void zl_property_u64(struct zl_dbus_out *out, const char *name, uint64_t value)
{
  begin(out, name, "t");
  zl_dbus_put_u64(out, value);
}

void zl_property_u32(struct zl_dbus_out *out, const char *name, uint32_t value)
{
  begin(out, name, "u");
  zl_dbus_put_u32(out, value);
}

void zl_property_i32(struct zl_dbus_out *out, const char *name, int32_t value)
{
  begin(out, name, "i");
  zl_dbus_put_u32(out, (uint32_t)value);
}

void zl_property_bool(struct zl_dbus_out *out, const char *name, bool value)
{
  begin(out, name, "b");
  zl_dbus_put_u32(out, value);
}

void zl_property_string(struct zl_dbus_out *out, const char *name, const char *value)
{
  begin(out, name, "s");
  zl_dbus_put_string(out, value);
}

static void put_strings(struct zl_dbus_out *out, const char *name, const char *value)
{
  struct zl_dbus_array array;

  begin(out, name, "as");
  array = zl_dbus_put_array(out, 4);
  zl_dbus_put_string(out, value);
  zl_dbus_end_array(out, array);
}

static void put_pids(struct zl_dbus_out *out, pid_t pid)
{
  struct zl_dbus_array array;

  begin(out, "PIDs", "au");
  array = zl_dbus_put_array(out, 4);
  zl_dbus_put_u32(out, (uint32_t)pid);
  zl_dbus_end_array(out, array);
}

/* ---- The unit ------------------------------------------------------------------------------ */

void zl_property_unit(struct zl_dbus_out *out, const struct zl_unit_name *name, const char *id,
                      pid_t pid)
{
  static const char *const accounting[] = { "MemoryAccounting", "CPUAccounting", "IOAccounting",
                                            "TasksAccounting" };
  char description[300];

  (void)snprintf(description, sizeof(description), "zlayer container %s", id);
  zl_property_string(out, "Description", description);
  if (name->is_slice) {
    put_strings(out, "Wants", name->slice);
  } else {
    zl_property_string(out, "Slice", name->slice);
    zl_property_bool(out, "Delegate", true);
    put_pids(out, pid);
  }
  for (size_t i = 0; i < ZL_COUNT(accounting); i++)
    zl_property_bool(out, accounting[i], true);
  /* At shutdown its caller stops it, when it wants to, not systemd before that. */
  zl_property_bool(out, "DefaultDependencies", false);
}

/* ---- Limits -------------------------------------------------------------------------------- */

static void put_limit(struct zl_dbus_out *out, const char *name, int64_t value)
{
  if (value != ZL_UNSET)
    zl_property_u64(out, name, value < 0 ? INFINITY : (uint64_t)value);
}

/* A part of a percent is rounded up: the file, which is exact, may not be above it. */
static uint64_t quota_per_second(int64_t quota, int64_t period)
{
  const uint64_t per = period > 0 ? (uint64_t)period : DEFAULT_PERIOD_US;
  uint64_t us;

  if (quota <= 0 || __builtin_mul_overflow((uint64_t)quota, UINT64_C(1000000), &us))
    return INFINITY;
  us /= per;
  return us > INFINITY - PERCENT_US ? INFINITY : (us + PERCENT_US - 1) / PERCENT_US * PERCENT_US;
}

static void put_cpu(struct zl_dbus_out *out, const struct zl_resources *res,
                    const struct zl_property_host *host)
{
  if (res->cpu_shares > 0 && host->is_v2)
    zl_property_u64(out, "CPUWeight", zl_cgroup_weight_of_shares((uint64_t)res->cpu_shares));
  else if (res->cpu_shares > 0)
    zl_property_u64(out, "CPUShares", (uint64_t)res->cpu_shares);
  if (res->cpu_period_us > 0 && host->version >= HAS_QUOTA_PERIOD)
    zl_property_u64(out, "CPUQuotaPeriodUSec", (uint64_t)res->cpu_period_us);
  if (res->cpu_quota_us != ZL_UNSET)
    zl_property_u64(out, "CPUQuotaPerSecUSec",
                    quota_per_second(res->cpu_quota_us, res->cpu_period_us));
}

/* v2 limits swap alone. A limit of both without one of memory is told of by the engine. */
static void put_swap(struct zl_dbus_out *out, const struct zl_resources *res)
{
  if (res->memory_swap > 0 && res->memory_limit >= 0)
    zl_property_u64(out, "MemorySwapMax", (uint64_t)(res->memory_swap - res->memory_limit));
  else if (res->memory_swap < 0)
    put_limit(out, "MemorySwapMax", res->memory_swap);
}

static void put_memory(struct zl_dbus_out *out, const struct zl_resources *res, bool is_v2)
{
  put_limit(out, is_v2 ? "MemoryMax" : "MemoryLimit", res->memory_limit);
  if (!is_v2)
    return;
  put_limit(out, "MemoryLow", res->memory_reservation);
  put_swap(out, res);
}

/* A set of numbers as bits, the lowest first. */
static void put_set(struct zl_dbus_out *out, const char *name, const char *list)
{
  struct zl_dbus_array array;
  struct zl_cpus set;
  size_t n = 0;
  uint8_t bytes[sizeof(set.bits)];

  /* One that is none is told of by the engine. */
  if (list == NULL || *list == '\0' || !zl_cpus_parse(list, &set))
    return;
  for (size_t i = 0; i < sizeof(bytes); i++) {
    bytes[i] = (uint8_t)(set.bits[i / sizeof(set.bits[0])] >> (8 * (i % sizeof(set.bits[0]))));
    n = bytes[i] != 0 ? i + 1 : n;
  }
  begin(out, name, "ay");
  array = zl_dbus_put_array(out, 1);
  zl_dbus_put_bytes(out, bytes, n);
  zl_dbus_end_array(out, array);
}

/* Files of linux.resources.unified that are a number or "max". */
static void put_unified(struct zl_dbus_out *out, const struct zl_key_value *pair)
{
  static const struct zl_key_value known[] = {
    { "memory.max", "MemoryMax" },          { "memory.high", "MemoryHigh" },
    { "memory.low", "MemoryLow" },          { "memory.min", "MemoryMin" },
    { "memory.swap.max", "MemorySwapMax" }, { "pids.max", "TasksMax" },
    { "cpu.weight", "CPUWeight" },
  };
  uint64_t value = INFINITY;

  for (size_t i = 0; i < ZL_COUNT(known); i++)
    if (strcmp(pair->key, known[i].key) == 0 &&
        (strcmp(pair->value, "max") == 0 || zl_parse_u64(pair->value, UINT64_MAX, &value)))
      zl_property_u64(out, known[i].value, value);
}

void zl_property_resources(struct zl_dbus_out *out, const struct zl_resources *res,
                           const struct zl_property_host *host)
{
  put_memory(out, res, host->is_v2);
  put_cpu(out, res, host);
  put_limit(out, "TasksMax", res->pids_limit == 0 ? -1 : res->pids_limit);
  if (res->blkio_weight > 0)
    zl_property_u64(out, host->is_v2 ? "IOWeight" : "BlockIOWeight",
                    host->is_v2 ? zl_cgroup_io_weight((uint64_t)res->blkio_weight)
                                : (uint64_t)res->blkio_weight);
  if (host->is_v2 && host->version >= HAS_ALLOWED_CPUS) {
    put_set(out, "AllowedCPUs", res->cpus);
    put_set(out, "AllowedMemoryNodes", res->mems);
  }
  for (size_t i = 0; host->is_v2 && i < res->n_unified; i++)
    put_unified(out, &res->unified[i]);
}

/* ---- Devices ------------------------------------------------------------------------------- */

/* systemd names one device by a path, all of a major number as "char-136", all as "char-*". */
static void put_device(struct zl_dbus_out *out, const struct zl_device_rule *rule)
{
  const char *kind = rule->type == 'b' ? "block" : "char";
  char name[64], access[4];
  char *to = access;

  if (rule->major == ZL_UNSET)
    (void)snprintf(name, sizeof(name), "%s-*", kind);
  else if (rule->minor == ZL_UNSET)
    (void)snprintf(name, sizeof(name), "%s-%lld", kind, (long long)rule->major);
  else
    (void)snprintf(name, sizeof(name), "/dev/%s/%lld:%lld", kind, (long long)rule->major,
                   (long long)rule->minor);
  if (rule->access & ZL_DEV_READ)
    *to++ = 'r';
  if (rule->access & ZL_DEV_WRITE)
    *to++ = 'w';
  if (rule->access & ZL_DEV_MKNOD)
    *to++ = 'm';
  *to = '\0';
  zl_dbus_put_pad(out, 8);
  zl_dbus_put_string(out, name);
  zl_dbus_put_string(out, access);
}

void zl_property_devices(struct zl_dbus_out *out, const struct zl_resources *res)
{
  struct zl_dbus_array array;
  struct zl_device_policy policy;
  bool is_strict;

  if (out->r == 0)
    out->r = zl_device_policy_make(res->devices, res->n_devices, &policy, out->err);
  if (out->r != 0)
    return;
  /* Rules that v1 cannot express are a program of ours, beside a v1 cgroup that allows all. */
  is_strict = policy.plain && !policy.allow_by_default;
  zl_property_string(out, "DevicePolicy", is_strict ? "strict" : "auto");
  begin(out, "DeviceAllow", "a(ss)");
  array = zl_dbus_put_array(out, 8);
  for (size_t i = 0; is_strict && i < policy.n; i++)
    put_device(out, &policy.rules[i]);
  zl_dbus_end_array(out, array);
}
