/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "runtime/hcs/modify_private.h"

enum {
  MAX_WEIGHT = 10000
};

static int finish_memory(const char *path, const char *request, uint64_t mib, uint64_t max,
                         struct zl_hcs_modify *ret, struct zl_error *err)
{
  if (mib == 0 || mib > max)
    return zl_fail(err, ZL_E_INVALID, 0, "memory: %" PRIu64 " MiB is not within 1..%" PRIu64, mib,
                   max);
  return zl_modify_finish_host(zl_modify_host(path, request, json_integer((json_int_t)mib)), ret,
                               err);
}

int zl_hcs_modify_machine_memory(uint64_t mib, struct zl_hcs_modify *ret, struct zl_error *err)
{
  if (mib % 2 != 0)
    return zl_fail(err, ZL_E_INVALID, 0, "memory: %" PRIu64 " MiB is not even", mib);
  return finish_memory(ZL_MODIFY_MACHINE "ComputeTopology/Memory/SizeInMB", NULL, mib,
                       ZL_HCS_MACHINE_MAX_MIB, ret, err);
}

int zl_hcs_modify_container_memory(uint64_t mib, struct zl_hcs_modify *ret, struct zl_error *err)
{
  return finish_memory("Container/Memory/SizeInMB", "Update", mib, INT64_MAX >> 20, ret, err);
}

int zl_hcs_modify_machine_processors(const struct zl_hcs_machine_size *size,
                                     struct zl_hcs_modify *ret, struct zl_error *err)
{
  struct zl_doc doc;

  if (size->cpu_limit > ZL_HCS_MACHINE_CPU_ALL || size->cpu_weight > MAX_WEIGHT ||
      (size->cpu_limit | size->cpu_weight) == 0)
    return zl_fail(err, ZL_E_INVALID, 0, "processors: limit %" PRIu32 ", weight %" PRIu32,
                   size->cpu_limit, size->cpu_weight);
  zl_doc_init(&doc);
  zl_doc_number(&doc, "Limit", size->cpu_limit);
  zl_doc_number(&doc, "Weight", size->cpu_weight);
  return zl_modify_finish_host(
      zl_modify_host(ZL_MODIFY_MACHINE "ComputeTopology/Processor/Limits", NULL, zl_doc_end(&doc)),
      ret, err);
}

int zl_hcs_modify_machine_cpu_group(const char *group, struct zl_hcs_modify *ret,
                                    struct zl_error *err)
{
  int r = zl_doc_check_guid(&zl_modify_place, "Processor.CpuGroup", group, err);

  return r < 0 ? r
               : zl_modify_finish_host(zl_modify_host(ZL_MODIFY_MACHINE
                                                      "ComputeTopology/Processor/CpuGroup",
                                                      NULL, zl_doc_one_text("Id", group)),
                                       ret, err);
}

int zl_hcs_modify_container_processors(const struct zl_hcs_limits *limits,
                                       struct zl_hcs_modify *ret, struct zl_error *err)
{
  int r = zl_doc_check_limits(&zl_modify_place, limits, err);

  if (r == 0 && (limits->cpu_count | limits->cpu_maximum | limits->cpu_weight) == 0)
    r = zl_fail(err, ZL_E_INVALID, 0, "processors: no limit is given");
  return r < 0 ? r
               : zl_modify_finish_host(
                     zl_modify_host("Container/Processor", "Update", zl_doc_limits(limits)), ret,
                     err);
}
