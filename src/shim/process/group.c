/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/process/group.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/time.h"
#include "engine/cgroup.h"
#include "shim/process/network.h"

/* A killed process needs as long as it takes to tear its memory down; one that hangs in a dead
 * network file system must not keep the exit record from being written. */
#define KILL_WAIT_NS (10 * ZL_NS_PER_S)

struct group {
  struct zl_cgroup_root root;
  struct zl_cgroup cg;
};

static int populate(struct group *group, const struct zl_engine_config *config,
                    struct zl_error *err)
{
  const struct zl_resources *res = &config->resources;
  int r = zl_cgroup_apply(&group->cg, res, err);

  return r < 0 ? r : zl_cgroup_set_devices(&group->cg, res->devices, res->n_devices, err);
}

int group_create(struct process_shim *shim, struct zl_error *err)
{
  const struct zl_engine_config *config = shim->config;
  struct group *group;
  int r;

  if (config->cgroups_path == NULL)
    return 0;
  group = calloc(1, sizeof(*group));
  if (group == NULL)
    return zl_fail_nomem(err, "cgroup");
  r = zl_cgroup_root_open(&group->root, err);
  if (r == 0) {
    r = zl_cgroup_create(&group->root, config->cgroups_path, &config->resources, &group->cg, err);
    if (r < 0)
      zl_cgroup_root_close(&group->root);
  }
  if (r < 0) {
    free(group);
    return r;
  }
  shim->group = group; /* from here on setup_undo removes it */
  return populate(group, config, err);
}

int group_fd(const struct process_shim *shim)
{
  return shim->group != NULL ? shim->group->cg.unified_fd : -1;
}

int group_enter(void *ctx, struct zl_error *err)
{
  const struct process_shim *shim = ctx;

  return shim->group != NULL ? zl_cgroup_add(&shim->group->cg, 0, group_fd(shim) >= 0, err) : 0;
}

static int kill_init(struct process_shim *shim, struct zl_error *err)
{
  int pidfd = shim->container.init.pidfd;

  if (pidfd >= 0 && pidfd_send_signal(pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
    return zl_fail_errno(err, "killing the container");
  return 0;
}

int group_kill(struct process_shim *shim, struct zl_error *err)
{
  int r = kill_init(shim, err);

  return r < 0 || shim->group == NULL ? r : zl_cgroup_kill(&shim->group->cg, err);
}

int group_wait_empty(struct process_shim *shim, struct zl_error *err)
{
  return shim->group != NULL ? zl_cgroup_wait_empty(&shim->group->cg, KILL_WAIT_NS, err) : 0;
}

int group_freeze(struct process_shim *shim, bool frozen, struct zl_error *err)
{
  if (shim->group == NULL)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0, "a container without cgroup cannot be paused");
  return zl_cgroup_freeze(&shim->group->cg, frozen, err);
}

bool group_had_oom(const struct process_shim *shim)
{
  uint64_t kills = 0;

  return shim->group != NULL && zl_cgroup_oom_kills(&shim->group->cg, &kills, NULL) == 0 &&
         kills > 0;
}

/* JSON has no unsigned 64-bit integers in jansson: UINT64_MAX, "none", travels as -1. */
static json_int_t number(uint64_t value)
{
  return (json_int_t)value;
}

int group_stats(struct process_shim *shim, json_t **ret, struct zl_error *err)
{
  struct zl_cgroup_stats s = { .memory_limit = UINT64_MAX, .pids_limit = UINT64_MAX };
  uint64_t rx = 0, tx = 0;
  json_t *json;
  int r = 0;

  if (shim->group != NULL)
    r = zl_cgroup_stats(&shim->group->cg, &s, err);
  if (r == 0)
    r = network_stats(shim, &rx, &tx, err);
  if (r < 0)
    return r;
  json = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:i}", "time_ns",
                   number(zl_time_wall()), "cpu_usage_ns", number(s.cpu_usage_ns), "cpu_system_ns",
                   number(s.cpu_system_ns), "memory_bytes", number(s.memory_bytes), "memory_limit",
                   number(s.memory_limit), "pids", number(s.pids), "pids_limit",
                   number(s.pids_limit), "block_read_bytes", number(s.block_read_bytes),
                   "block_write_bytes", number(s.block_write_bytes), "net_rx_bytes", number(rx),
                   "net_tx_bytes", number(tx), "online_cpus", (int)sysconf(_SC_NPROCESSORS_ONLN));
  if (json == NULL)
    return zl_fail_nomem(err, "statistics");
  *ret = json;
  return 0;
}

int group_remove(struct process_shim *shim, struct zl_error *err)
{
  struct group *group = shim->group;
  int r;

  if (group == NULL)
    return 0;
  shim->group = NULL;
  r = zl_cgroup_remove(&group->cg, err);
  zl_cgroup_close(&group->cg);
  zl_cgroup_root_close(&group->root);
  free(group);
  return r;
}
