/* SPDX-License-Identifier: Apache-2.0
 *
 * Which limits are whose. How much memory, processor time and how many processes the container may
 * have is for the machine to see to: its kernel counts the container's own. Shares of processors
 * and disks are between this host's processes, of which the machine is one.
 */
#include "base/json.h"
#include "oci/vm/vm.h"

static int copy(const json_t *from, json_t *to, const char *key, struct zl_error *err)
{
  json_t *value = json_object_get(from, key);

  return value != NULL && json_object_set(to, key, value) < 0 ? zl_fail_nomem(err, key) : 0;
}

int oci_machine_resources(const json_t *doc, struct zl_resources **ret, struct zl_error *err)
{
  static const char *const members[] = { "blockIO", "hugepageLimits", "network", "rdma" };
  static const char *const cpu_members[] = { "shares",          "cpus",          "mems", "idle",
                                             "realtimeRuntime", "realtimePeriod" };
  const json_t *all = json_object_get(json_object_get(doc, "linux"), "resources");
  const json_t *cpu = json_object_get(all, "cpu");
  zl_autojson *own = json_object();
  json_t *own_cpu = json_object();
  int r = json_object_set_new(own, "cpu", own_cpu) < 0 ? zl_fail_nomem(err, "resources") : 0;

  for (size_t i = 0; r == 0 && i < ZL_COUNT(members); i++)
    r = copy(all, own, members[i], err);
  for (size_t i = 0; r == 0 && i < ZL_COUNT(cpu_members); i++)
    r = copy(cpu, own_cpu, cpu_members[i], err);
  return r == 0 ? zl_engine_resources_parse(own, "linux.resources", ret, err) : r;
}
