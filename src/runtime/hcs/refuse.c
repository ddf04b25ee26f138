/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/hcs/refuse.h"

#include <stdbool.h>

#include "base/cleanup.h"

#define LINUX "it is of Linux"

/* A field that cannot act, and why. */
struct dead_field {
  bool is_set;
  const char *field, *why;
};

static int refuse(const struct zl_service *service, const struct dead_field *fields, size_t count,
                  struct zl_error *err)
{
  for (size_t i = 0; i < count; i++)
    if (fields[i].is_set)
      return zl_fail(err, ZL_E_UNSUPPORTED, 0, "services.%s.%s: not for Windows containers: %s",
                     service->name, fields[i].field, fields[i].why);
  return 0;
}

static int refuse_process(const struct zl_service *s, struct zl_error *err)
{
  const struct dead_field fields[] = {
    { s->privileged, "privileged", "nothing makes one of the host" },
    { s->capabilities != NULL, "capabilities", LINUX },
    { s->cap_drop != NULL, "cap_drop", LINUX },
    { s->security_opt != NULL, "security_opt", LINUX },
    { s->sysctls.count > 0, "sysctls", LINUX },
    { s->n_ulimits > 0, "ulimits", LINUX },
    { s->extra_groups != NULL, "extra_groups", "users have the groups of the image" },
    { s->userns_mode == ZL_USERNS_PRIVATE, "userns_mode", LINUX },
    { s->pid_mode != ZL_NS_PRIVATE, "pid_mode", "a container sees its own processes only" },
    { s->ipc_mode != ZL_NS_PRIVATE, "ipc_mode", "a container sees its own objects only" },
    { s->cgroup_parent != NULL, "cgroup_parent", LINUX },
    { s->init_container, "init_container", "Windows has no orphans to reap" },
    { s->read_only_root_fs, "read_only_root_fs", "their system writes to its disk" },
    { s->n_devices > 0, "devices", "not supported yet" },
    { s->extra_hosts != NULL, "extra_hosts", "not supported yet" },
  };

  return refuse(s, fields, ZL_COUNT(fields), err);
}

static int refuse_network(const struct zl_service *s, struct zl_error *err)
{
  const struct dead_field fields[] = {
    { s->host_network || s->network_mode.kind == ZL_NETWORK_HOST, "network_mode",
      "they have a network of their own and cannot use the node's" },
    { s->network_mode.kind == ZL_NETWORK_CONTAINER, "network_mode",
      "sharing another container's is not supported yet" },
    { s->network_mode.kind == ZL_NETWORK_BRIDGE, "network_mode",
      "named bridges are not supported" },
  };

  return refuse(s, fields, ZL_COUNT(fields), err);
}

static int refuse_resources(const struct zl_service *s, enum zl_isolation isolation,
                            struct zl_error *err)
{
  const struct zl_resources *res = &s->resources;
  const char *no_swap = isolation == ZL_ISOLATION_HYPERV
                            ? "a machine's page file is its own matter"
                            : "the memory limit counts what is in the page file, too";
  const struct dead_field fields[] = {
    { res->gpu != NULL, "resources.gpu", "not supported yet" },
    { res->pids_limit > 0, "resources.pids_limit", "the compute service limits no processes" },
    { res->cpuset != NULL, "resources.cpuset", "the compute service chooses processors itself" },
    { res->cpu_shares != 0, "resources.cpu_shares", "Windows weighs on another scale; use cpu" },
    { res->memory_swap != 0 && res->memory_swap != res->memory, "resources.memory_swap", no_swap },
    { res->memory_reservation != 0, "resources.memory_reservation",
      "Windows has one limit of memory" },
    { res->has_memory_swappiness, "resources.memory_swappiness", LINUX },
    { res->has_oom_score_adj, "resources.oom_score_adj",
      "Windows ends no process for want of memory" },
    { res->oom_kill_disable, "resources.oom_kill_disable",
      "Windows ends no process for want of memory" },
    { res->blkio_weight != 0, "resources.blkio_weight", "the compute service has no such weight" },
  };

  return refuse(s, fields, ZL_COUNT(fields), err);
}

int zl_hcs_refuse(const struct zl_service *service, enum zl_isolation isolation,
                  struct zl_error *err)
{
  int r = refuse_process(service, err);

  if (r == 0)
    r = refuse_network(service, err);
  return r < 0 ? r : refuse_resources(service, isolation, err);
}
