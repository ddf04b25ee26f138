/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/hcs/resources.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
  MIB_SHIFT = 20,
  KEPT = 6 /* characters of a long id in its host name; a "-" and eight digits follow */
};

static uint64_t mib_of(uint64_t bytes)
{
  return (bytes >> MIB_SHIFT) + ((bytes & ((UINT64_C(1) << MIB_SHIFT) - 1)) != 0 ? 1 : 0);
}

/* `part` of `whole` in units of which the whole has `units`; at least one, since 0 is no limit. */
static uint32_t share(double part, uint32_t whole, uint32_t units)
{
  double value = round(part / whole * units);

  return value < 1 ? 1 : value > units ? units : (uint32_t)value;
}

struct zl_hcs_limits zl_hcs_container_limits(const struct zl_service *service, uint32_t host_cpus)
{
  double cpu = service->resources.cpu;
  struct zl_hcs_limits limits = { .memory_mib = mib_of(service->resources.memory) };

  if (cpu <= 0)
    return limits;
  if (cpu >= host_cpus)
    limits.cpu_count = host_cpus;
  else if (cpu == floor(cpu))
    limits.cpu_count = (uint32_t)cpu;
  else
    limits.cpu_maximum = share(cpu, host_cpus, ZL_HCS_CPU_ALL);
  return limits;
}

int zl_hcs_machine_size(const struct zl_service *service, uint32_t host_cpus,
                        struct zl_hcs_machine_size *ret, struct zl_error *err)
{
  double cpu = service->resources.cpu;
  double wanted = cpu > 0 ? ceil(cpu) : ZL_HCS_MACHINE_CPUS;
  struct zl_hcs_machine_size size = { .memory_mib = mib_of(service->resources.memory) };

  size.cpu_count = wanted < host_cpus ? (uint32_t)wanted : host_cpus;
  if (cpu > 0 && cpu < size.cpu_count)
    size.cpu_limit = share(cpu, size.cpu_count, ZL_HCS_MACHINE_CPU_ALL);
  if (size.memory_mib == 0)
    size.memory_mib = ZL_HCS_MACHINE_MIB;
  size.memory_mib += size.memory_mib % 2;
  if (size.memory_mib > ZL_HCS_MACHINE_MAX_MIB)
    return zl_fail(err, ZL_E_LIMIT, 0,
                   "services.%s.resources.memory: with isolation hyperv at most %dTi",
                   service->name, ZL_HCS_MACHINE_MAX_MIB >> MIB_SHIFT);
  *ret = size;
  return 0;
}

/* ---- Host names ---- */

static bool is_letter(char c)
{
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_name_part(char c)
{
  return is_letter(c) || (c >= '0' && c <= '9') || c == '-';
}

static bool is_netbios(const char *name)
{
  size_t len = strlen(name);

  if (len == 0 || len >= ZL_HCS_HOSTNAME || !is_letter(name[0]) || name[len - 1] == '-')
    return false;
  for (size_t i = 0; i < len; i++)
    if (!is_name_part(name[i]))
      return false;
  return true;
}

static void name_of_id(const char *id, char ret[ZL_HCS_HOSTNAME])
{
  bool prefix = !is_letter(id[0]);
  size_t len = strlen(id) + (prefix ? 1 : 0);
  uint32_t hash = 2166136261u; /* FNV-1a */

  for (const char *p = id; *p != '\0'; p++)
    hash = (hash ^ (unsigned char)*p) * 16777619u;
  if (len < ZL_HCS_HOSTNAME)
    (void)snprintf(ret, ZL_HCS_HOSTNAME, "%s%s", prefix ? "z" : "", id);
  else
    (void)snprintf(ret, ZL_HCS_HOSTNAME, "%s%.*s-%08" PRIx32, prefix ? "z" : "",
                   prefix ? KEPT - 1 : KEPT, id, hash);
  for (char *p = ret; *p != '\0'; p++)
    if (!is_name_part(*p))
      *p = '-';
  for (len = strlen(ret); len > 1 && ret[len - 1] == '-'; len--)
    ret[len - 1] = '\0';
}

int zl_hcs_hostname(const struct zl_service *service, const char *id, char ret[ZL_HCS_HOSTNAME],
                    struct zl_error *err)
{
  if (service->hostname == NULL) {
    name_of_id(id, ret);
    return 0;
  }
  if (!is_netbios(service->hostname))
    return zl_fail(err, ZL_E_INVALID, 0,
                   "services.%s.hostname: '%.100s' cannot be a Windows host's name: at most 15 "
                   "letters, digits and '-', a letter first",
                   service->name, service->hostname);
  (void)snprintf(ret, ZL_HCS_HOSTNAME, "%s", service->hostname);
  return 0;
}
