/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/linux/groups.h"

#include "base/time.h"
#include "engine/cgroup.h"

#define REAP_PATIENCE (10 * ZL_NS_PER_S)

static int end_processes(const struct zl_cgroup *cg, struct zl_error *err)
{
  bool populated = false;
  int r = zl_cgroup_is_populated(cg, &populated, err);

  if (r < 0 || !populated)
    return r;
  r = zl_cgroup_kill(cg, err);
  return r < 0 ? r : zl_cgroup_wait_empty(cg, REAP_PATIENCE, err);
}

int zl_groups_reap(const char *path, struct zl_error *err)
{
  ZL_CLEANUP(zl_cgroup_root_close) struct zl_cgroup_root root = { .fd = -1 };
  ZL_CLEANUP(zl_cgroup_close) struct zl_cgroup cg = { .unified_fd = -1 };
  int r = zl_cgroup_root_open(&root, err);

  if (r == 0)
    r = zl_cgroup_open(&root, path, &cg, err);
  if (r < 0)
    return r == -ZL_E_NOT_FOUND ? 0 : r;
  r = end_processes(&cg, err);
  return r < 0 ? r : zl_cgroup_remove(&cg, err);
}

int zl_groups_list(const char *prefix, int (*fn)(void *payload, const char *name), void *payload,
                   struct zl_error *err)
{
  ZL_CLEANUP(zl_cgroup_root_close) struct zl_cgroup_root root = { .fd = -1 };
  int r = zl_cgroup_root_open(&root, err);

  return r < 0 ? r : zl_cgroup_enumerate(&root, prefix, fn, payload, err);
}

const char *zl_groups_mode(void)
{
  static const char *const names[] = {
    [ZL_CGROUP_V1] = "v1", [ZL_CGROUP_HYBRID] = "hybrid", [ZL_CGROUP_V2] = "v2"
  };
  ZL_CLEANUP(zl_cgroup_root_close) struct zl_cgroup_root root = { .fd = -1 };

  return zl_cgroup_root_open(&root, NULL) == 0 ? names[root.mode] : "none";
}
