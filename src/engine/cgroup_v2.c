/* SPDX-License-Identifier: Apache-2.0
 *
 * Limits in the v2 tree. The OCI document speaks v1; what has no v2 form is refused.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/strv.h"
#include "engine/cgroup_private.h"

/* A limit in v2's words. */
static int put_limit(const struct zl_cgroup *cg, const char *file, int64_t value,
                     struct zl_error *err)
{
  if (value == ZL_UNSET)
    return 0;
  if (value < 0)
    return zl_cgroup_write(cg, ZL_TREE_UNIFIED, file, "max", err);
  return zl_cgroup_writef(cg, ZL_TREE_UNIFIED, err, file, "%" PRId64, value);
}

static int refuse(const char *what, struct zl_error *err)
{
  return zl_fail(err, ZL_E_UNSUPPORTED, 0, "resources.%s: v2 cgroups have no such setting", what);
}

/* v1's 2..262144 with the default 1024 to v2's 1..10000 with the default 100. A straight line would
 * make the default 39; runc and crun agreed on a curve through all three points, which is held
 * here at the powers of two and is straight between them. */
uint64_t zl_cgroup_weight_of_shares(uint64_t shares)
{
  static const uint16_t curve[] = { 1,   2,   3,   5,   8,   12,   21,   35,   59,
                                    100, 174, 303, 532, 942, 1681, 3023, 5478, 10000 };
  unsigned power;
  uint64_t low, high, floor;

  if (shares <= 2)
    return 1;
  if (shares >= 262144)
    return 10000;
  power = 63 - (unsigned)__builtin_clzll(shares);
  floor = UINT64_C(1) << power;
  low = curve[power - 1];
  high = curve[power];
  return low + ((high - low) * (shares - floor) + floor / 2) / floor;
}

static int apply_bandwidth(const struct zl_cgroup *cg, const struct zl_resources *res,
                           struct zl_error *err)
{
  const bool has_quota = res->cpu_quota_us != ZL_UNSET;
  const bool has_period = res->cpu_period_us != ZL_UNSET;
  char quota[24] = "max";
  int r;

  if (!has_quota && !has_period)
    return 0;
  if (!has_quota) {
    zl_autobuf buf = ZL_BUF_INIT(ZL_CGROUP_LINE);

    /* The file takes both numbers: keep the quota there is. */
    r = zl_cgroup_read(cg, ZL_TREE_UNIFIED, "cpu.max", &buf, err);
    if (r < 0)
      return r;
    if (buf.data != NULL)
      (void)snprintf(quota, sizeof(quota), "%.*s", (int)strcspn(buf.data, " \n"), buf.data);
  } else if (res->cpu_quota_us > 0) {
    (void)snprintf(quota, sizeof(quota), "%" PRId64, res->cpu_quota_us);
  }
  if (!has_period)
    return zl_cgroup_write(cg, ZL_TREE_UNIFIED, "cpu.max", quota, err);
  return zl_cgroup_writef(cg, ZL_TREE_UNIFIED, err, "cpu.max", "%s %" PRId64, quota,
                          res->cpu_period_us);
}

static int apply_cpu(const struct zl_cgroup *cg, const struct zl_resources *res,
                     struct zl_error *err)
{
  int r = 0;

  if (res->cpu_rt_runtime_us > 0 || res->cpu_rt_period_us > 0)
    return refuse("cpu.realtimeRuntime", err);
  if (res->cpu_shares > 0)
    r = zl_cgroup_writef(cg, ZL_TREE_UNIFIED, err, "cpu.weight", "%" PRIu64,
                         zl_cgroup_weight_of_shares((uint64_t)res->cpu_shares));
  if (r == 0)
    r = apply_bandwidth(cg, res, err);
  if (r == 0)
    r = put_limit(cg, "cpu.max.burst", res->cpu_burst_us, err);
  if (r == 0)
    r = put_limit(cg, "cpu.idle", res->cpu_idle, err);
  return r;
}

/* v1 limits memory and swap together, v2 swap alone. */
static int apply_swap(const struct zl_cgroup *cg, const struct zl_resources *res,
                      struct zl_error *err)
{
  int64_t swap = res->memory_swap;

  if (swap == ZL_UNSET)
    return 0;
  if (swap > 0) {
    if (res->memory_limit < 0)
      return zl_fail(err, ZL_E_INVALID, 0,
                     "resources.memory.swap: needs a memory limit on v2 cgroups");
    swap -= res->memory_limit;
  }
  if (swap < 0 && !zl_cgroup_file_exists(cg, ZL_TREE_UNIFIED, "memory.swap.max"))
    return 0;
  return put_limit(cg, "memory.swap.max", swap, err);
}

static int apply_memory(const struct zl_cgroup *cg, const struct zl_resources *res,
                        struct zl_error *err)
{
  int r;

  if (res->disable_oom_killer)
    return refuse("memory.disableOOMKiller", err);
  if (res->memory_swappiness != ZL_UNSET)
    return refuse("memory.swappiness", err);
  if (res->memory_kernel != 0 && res->memory_kernel != ZL_UNSET)
    return refuse("memory.kernel", err);
  if (res->memory_kernel_tcp != 0 && res->memory_kernel_tcp != ZL_UNSET)
    return refuse("memory.kernelTCP", err);
  /* useHierarchy: there is nothing else here. */
  r = zl_cgroup_check_memory(cg, ZL_TREE_UNIFIED, "memory.current", res, err);
  if (r == 0)
    r = apply_swap(cg, res, err);
  if (r == 0)
    r = put_limit(cg, "memory.max", res->memory_limit, err);
  if (r == 0)
    r = put_limit(cg, "memory.low", res->memory_reservation, err);
  return r;
}

static int apply_pids(const struct zl_cgroup *cg, const struct zl_resources *res,
                      struct zl_error *err)
{
  return put_limit(cg, "pids.max", res->pids_limit == 0 ? -1 : res->pids_limit, err);
}

static int apply_cpuset(const struct zl_cgroup *cg, const struct zl_resources *res,
                        struct zl_error *err)
{
  int r = 0;

  if (res->cpus != NULL && *res->cpus != '\0')
    r = zl_cgroup_write(cg, ZL_TREE_UNIFIED, "cpuset.cpus", res->cpus, err);
  if (r == 0 && res->mems != NULL && *res->mems != '\0')
    r = zl_cgroup_write(cg, ZL_TREE_UNIFIED, "cpuset.mems", res->mems, err);
  return r;
}

uint64_t zl_cgroup_io_weight(uint64_t weight)
{
  return weight < 10 ? weight : 1 + (weight - 10) * 9999 / 990;
}

/* BFQ has v1's scale. */
static uint64_t io_weight(uint64_t weight, bool bfq)
{
  return bfq ? weight : zl_cgroup_io_weight(weight);
}

static int apply_io_weight(const struct zl_cgroup *cg, const struct zl_resources *res,
                           struct zl_error *err)
{
  const bool bfq = zl_cgroup_file_exists(cg, ZL_TREE_UNIFIED, "io.bfq.weight");
  const char *file = bfq ? "io.bfq.weight" : "io.weight";
  const struct zl_blkio_list *list = &res->blkio_weight_device;
  int r = 0;

  if (res->blkio_weight != ZL_UNSET)
    r = zl_cgroup_writef(cg, ZL_TREE_UNIFIED, err, file, "%" PRIu64,
                         io_weight((uint64_t)res->blkio_weight, bfq));
  for (size_t i = 0; r == 0 && i < list->n; i++)
    r = zl_cgroup_writef(cg, ZL_TREE_UNIFIED, err, file, "%u:%u %" PRIu64, list->items[i].major,
                         list->items[i].minor, io_weight(list->items[i].value, bfq));
  return r;
}

static int put_rates(const struct zl_cgroup *cg, const struct zl_blkio_list *list, const char *key,
                     struct zl_error *err)
{
  int r = 0;

  for (size_t i = 0; r == 0 && i < list->n; i++) {
    const struct zl_blkio_device *d = &list->items[i];

    /* 0 lifts a limit in v1. */
    r = d->value == 0 ? zl_cgroup_writef(cg, ZL_TREE_UNIFIED, err, "io.max", "%u:%u %s=max",
                                         d->major, d->minor, key)
                      : zl_cgroup_writef(cg, ZL_TREE_UNIFIED, err, "io.max", "%u:%u %s=%" PRIu64,
                                         d->major, d->minor, key, d->value);
  }
  return r;
}

static int apply_io(const struct zl_cgroup *cg, const struct zl_resources *res,
                    struct zl_error *err)
{
  int r = apply_io_weight(cg, res, err);

  if (r == 0)
    r = put_rates(cg, &res->read_bps, "rbps", err);
  if (r == 0)
    r = put_rates(cg, &res->write_bps, "wbps", err);
  if (r == 0)
    r = put_rates(cg, &res->read_iops, "riops", err);
  if (r == 0)
    r = put_rates(cg, &res->write_iops, "wiops", err);
  return r;
}

int zl_cgroup_apply_rdma(const struct zl_cgroup *cg, enum zl_cgroup_tree tree,
                         const struct zl_resources *res, struct zl_error *err)
{
  int r = 0;

  for (size_t i = 0; r == 0 && i < res->n_rdma; i++) {
    const struct zl_rdma_limit *limit = &res->rdma[i];

    if (limit->hca_handles != ZL_UNSET)
      r = zl_cgroup_writef(cg, tree, err, "rdma.max", "%s hca_handle=%" PRId64, limit->device,
                           limit->hca_handles);
    if (r == 0 && limit->hca_objects != ZL_UNSET)
      r = zl_cgroup_writef(cg, tree, err, "rdma.max", "%s hca_object=%" PRId64, limit->device,
                           limit->hca_objects);
  }
  return r;
}

int zl_cgroup_check_memory(const struct zl_cgroup *cg, enum zl_cgroup_tree tree, const char *file,
                           const struct zl_resources *res, struct zl_error *err)
{
  uint64_t used = 0;
  int r;

  if (!res->check_before_update || res->memory_limit <= 0)
    return 0;
  r = zl_cgroup_read_number(cg, tree, file, &used, err);
  if (r == 0 && used > (uint64_t)res->memory_limit)
    r = zl_fail(err, ZL_E_INVALID, 0,
                "resources.memory.limit: %" PRId64 " bytes are less than the %" PRIu64 " in use",
                res->memory_limit, used);
  return r;
}

static int apply_others(const struct zl_cgroup *cg, const struct zl_resources *res,
                        struct zl_error *err)
{
  char file[64];
  int r = 0;

  for (size_t i = 0; r == 0 && i < res->n_hugepages; i++) {
    (void)snprintf(file, sizeof(file), "hugetlb.%s.max", res->hugepages[i].page_size);
    r = zl_cgroup_writef(cg, ZL_TREE_UNIFIED, err, file, "%" PRIu64, res->hugepages[i].limit);
    (void)snprintf(file, sizeof(file), "hugetlb.%s.rsvd.max", res->hugepages[i].page_size);
    if (r == 0 && zl_cgroup_file_exists(cg, ZL_TREE_UNIFIED, file))
      r = zl_cgroup_writef(cg, ZL_TREE_UNIFIED, err, file, "%" PRIu64, res->hugepages[i].limit);
  }
  if (r == 0)
    r = zl_cgroup_apply_rdma(cg, ZL_TREE_UNIFIED, res, err);
  if (r == 0 && res->net_class != 0)
    return refuse("network.classID", err);
  if (r == 0 && res->n_net_priorities > 0)
    return refuse("network.priorities", err);
  for (size_t i = 0; r == 0 && i < res->n_unified; i++)
    r = zl_cgroup_write(cg, ZL_TREE_UNIFIED, res->unified[i].key, res->unified[i].value, err);
  return r;
}

int zl_cgroup_apply_v2(struct zl_cgroup *cg, const struct zl_resources *res, struct zl_error *err)
{
  static int (*const parts[])(const struct zl_cgroup *, const struct zl_resources *,
                              struct zl_error *) = {
    apply_memory, apply_cpu, apply_pids, apply_cpuset, apply_io, apply_others,
  };
  int r = 0;

  for (size_t i = 0; r == 0 && i < ZL_COUNT(parts); i++)
    r = parts[i](cg, res, err);
  return r;
}

int zl_cgroup_apply(struct zl_cgroup *cg, const struct zl_resources *res, struct zl_error *err)
{
  if (cg->root->mode == ZL_CGROUP_V2)
    return zl_cgroup_apply_v2(cg, res, err);
  return zl_cgroup_apply_v1(cg, res, err);
}
