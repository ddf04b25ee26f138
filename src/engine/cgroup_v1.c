/* SPDX-License-Identifier: Apache-2.0
 *
 * Limits in the v1 trees.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/strv.h"
#include "engine/cgroup_private.h"

static int put_number(const struct zl_cgroup *cg, enum zl_cgroup_tree tree, const char *file,
                      int64_t value, struct zl_error *err)
{
  if (value == ZL_UNSET)
    return 0;
  return zl_cgroup_writef(cg, tree, err, file, "%" PRId64, value);
}

/* The kernel checks time against period and refuses a pair that is wrong for a moment: whichever
 * order fails, the other one is right. */
static int put_bandwidth(const struct zl_cgroup *cg, const char *period_file, int64_t period,
                         const char *time_file, int64_t time, struct zl_error *err)
{
  int r = put_number(cg, ZL_TREE_CPU, period_file, period, NULL);

  if (r == 0)
    return put_number(cg, ZL_TREE_CPU, time_file, time, err);
  r = put_number(cg, ZL_TREE_CPU, time_file, time, err);
  return r == 0 ? put_number(cg, ZL_TREE_CPU, period_file, period, err) : r;
}

static int apply_cpu(const struct zl_cgroup *cg, const struct zl_resources *res,
                     struct zl_error *err)
{
  int r = put_number(cg, ZL_TREE_CPU, "cpu.shares", res->cpu_shares, err);

  if (r == 0)
    r = put_bandwidth(cg, "cpu.cfs_period_us", res->cpu_period_us, "cpu.cfs_quota_us",
                      res->cpu_quota_us, err);
  if (r == 0)
    r = put_number(cg, ZL_TREE_CPU, "cpu.cfs_burst_us", res->cpu_burst_us, err);
  if (r == 0)
    r = put_bandwidth(cg, "cpu.rt_period_us", res->cpu_rt_period_us, "cpu.rt_runtime_us",
                      res->cpu_rt_runtime_us, err);
  if (r == 0)
    r = put_number(cg, ZL_TREE_CPU, "cpu.idle", res->cpu_idle, err);
  return r;
}

/* memory + swap may not be below memory at any moment, so growing and shrinking need opposite
 * orders. A new cgroup has neither limit: memory first is right. */
static int apply_memory_and_swap(const struct zl_cgroup *cg, const struct zl_resources *res,
                                 struct zl_error *err)
{
  static const char limit[] = "memory.limit_in_bytes", both[] = "memory.memsw.limit_in_bytes";
  /* "No limit on swap" is also true of a kernel that does not count it. */
  /* Memory without a limit is without one on memory + swap, unless that is said too. */
  const bool lifts = res->memory_limit == -1 && res->memory_swap == ZL_UNSET;
  const int64_t wanted = lifts ? -1 : res->memory_swap;
  const bool can_swap = wanted != -1 || zl_cgroup_file_exists(cg, ZL_TREE_MEMORY, both);
  const int64_t swap = can_swap ? wanted : ZL_UNSET;
  int r;

  if (swap == ZL_UNSET)
    return put_number(cg, ZL_TREE_MEMORY, limit, res->memory_limit, err);
  r = put_number(cg, ZL_TREE_MEMORY, limit, res->memory_limit, NULL);
  if (r == 0)
    return put_number(cg, ZL_TREE_MEMORY, both, swap, err);
  r = put_number(cg, ZL_TREE_MEMORY, both, swap, err);
  return r == 0 ? put_number(cg, ZL_TREE_MEMORY, limit, res->memory_limit, err) : r;
}

/* Accounting of kernel memory of its own went away in Linux 5.16; its file says so itself. */
static int apply_kernel_memory(const struct zl_cgroup *cg, const struct zl_resources *res,
                               struct zl_error *err)
{
  int r = 0;

  if (res->memory_kernel != 0)
    r = put_number(cg, ZL_TREE_MEMORY, "memory.kmem.limit_in_bytes", res->memory_kernel, err);
  if (r == 0 && res->memory_kernel_tcp != 0)
    r = put_number(cg, ZL_TREE_MEMORY, "memory.kmem.tcp.limit_in_bytes", res->memory_kernel_tcp,
                   err);
  if (r == 0 && res->use_hierarchy)
    r = zl_cgroup_write(cg, ZL_TREE_MEMORY, "memory.use_hierarchy", "1", err);
  return r;
}

static int apply_memory(const struct zl_cgroup *cg, const struct zl_resources *res,
                        struct zl_error *err)
{
  int r = zl_cgroup_check_memory(cg, ZL_TREE_MEMORY, "memory.usage_in_bytes", res, err);

  if (r == 0)
    r = apply_kernel_memory(cg, res, err);
  if (r == 0)
    r = apply_memory_and_swap(cg, res, err);

  if (r == 0)
    r = put_number(cg, ZL_TREE_MEMORY, "memory.soft_limit_in_bytes", res->memory_reservation, err);
  if (r == 0)
    r = put_number(cg, ZL_TREE_MEMORY, "memory.swappiness", res->memory_swappiness, err);
  if (r == 0 && res->disable_oom_killer)
    r = zl_cgroup_write(cg, ZL_TREE_MEMORY, "memory.oom_control", "1", err);
  return r;
}

static int apply_pids(const struct zl_cgroup *cg, const struct zl_resources *res,
                      struct zl_error *err)
{
  if (res->pids_limit == ZL_UNSET)
    return 0;
  if (res->pids_limit <= 0)
    return zl_cgroup_write(cg, ZL_TREE_PIDS, "pids.max", "max", err);
  return put_number(cg, ZL_TREE_PIDS, "pids.max", res->pids_limit, err);
}

static int apply_cpuset(const struct zl_cgroup *cg, const struct zl_resources *res,
                        struct zl_error *err)
{
  int r = 0;

  if (res->cpus != NULL && *res->cpus != '\0')
    r = zl_cgroup_write(cg, ZL_TREE_CPUSET, "cpuset.cpus", res->cpus, err);
  if (r == 0 && res->mems != NULL && *res->mems != '\0')
    r = zl_cgroup_write(cg, ZL_TREE_CPUSET, "cpuset.mems", res->mems, err);
  return r;
}

static int put_devices(const struct zl_cgroup *cg, const struct zl_blkio_list *list,
                       const char *file, struct zl_error *err)
{
  int r = 0;

  for (size_t i = 0; r == 0 && i < list->n; i++)
    r = zl_cgroup_writef(cg, ZL_TREE_BLKIO, err, file, "%u:%u %" PRIu64, list->items[i].major,
                         list->items[i].minor, list->items[i].value);
  return r;
}

/* Weights belong to the scheduler: CFQ's files until 5.0, BFQ's since. */
static int apply_blkio(const struct zl_cgroup *cg, const struct zl_resources *res,
                       struct zl_error *err)
{
  const bool cfq = zl_cgroup_file_exists(cg, ZL_TREE_BLKIO, "blkio.weight");
  int r = put_number(cg, ZL_TREE_BLKIO, cfq ? "blkio.weight" : "blkio.bfq.weight",
                     res->blkio_weight, err);

  if (r == 0)
    r = put_devices(cg, &res->blkio_weight_device,
                    cfq ? "blkio.weight_device" : "blkio.bfq.weight_device", err);
  if (r == 0)
    r = put_devices(cg, &res->read_bps, "blkio.throttle.read_bps_device", err);
  if (r == 0)
    r = put_devices(cg, &res->write_bps, "blkio.throttle.write_bps_device", err);
  if (r == 0)
    r = put_devices(cg, &res->read_iops, "blkio.throttle.read_iops_device", err);
  if (r == 0)
    r = put_devices(cg, &res->write_iops, "blkio.throttle.write_iops_device", err);
  return r;
}

static int apply_hugepages(const struct zl_cgroup *cg, const struct zl_resources *res,
                           struct zl_error *err)
{
  /* On hybrid hosts the controller may live in either tree. */
  const bool v1 = zl_cgroup_has(cg, ZL_TREE_HUGETLB);
  char file[64];
  int r = 0;

  for (size_t i = 0; r == 0 && i < res->n_hugepages; i++) {
    (void)snprintf(file, sizeof(file), "hugetlb.%s.%s", res->hugepages[i].page_size,
                   v1 ? "limit_in_bytes" : "max");
    r = zl_cgroup_writef(cg, v1 ? ZL_TREE_HUGETLB : ZL_TREE_UNIFIED, err, file, "%" PRIu64,
                         res->hugepages[i].limit);
    /* Reservations are counted apart since Linux 5.7, and would not be limited by the first. */
    (void)snprintf(file, sizeof(file), "hugetlb.%s.rsvd.%s", res->hugepages[i].page_size,
                   v1 ? "limit_in_bytes" : "max");
    if (r == 0 && zl_cgroup_file_exists(cg, v1 ? ZL_TREE_HUGETLB : ZL_TREE_UNIFIED, file))
      r = zl_cgroup_writef(cg, v1 ? ZL_TREE_HUGETLB : ZL_TREE_UNIFIED, err, file, "%" PRIu64,
                           res->hugepages[i].limit);
  }
  return r;
}

/* The v1 hierarchy where there is one. */
static int apply_rdma(const struct zl_cgroup *cg, const struct zl_resources *res,
                      struct zl_error *err)
{
  return zl_cgroup_apply_rdma(cg, zl_cgroup_has(cg, ZL_TREE_RDMA) ? ZL_TREE_RDMA : ZL_TREE_UNIFIED,
                              res, err);
}

static int apply_network(const struct zl_cgroup *cg, const struct zl_resources *res,
                         struct zl_error *err)
{
  int r = 0;

  if (res->net_class != 0)
    r = zl_cgroup_writef(cg, ZL_TREE_NET_CLS, err, "net_cls.classid", "%" PRIu32, res->net_class);
  for (size_t i = 0; r == 0 && i < res->n_net_priorities; i++)
    r = zl_cgroup_writef(cg, ZL_TREE_NET_PRIO, err, "net_prio.ifpriomap", "%s %" PRIu32,
                         res->net_priorities[i].interface, res->net_priorities[i].priority);
  return r;
}

static int apply_unified(const struct zl_cgroup *cg, const struct zl_resources *res,
                         struct zl_error *err)
{
  int r = 0;

  if (res->n_unified > 0 && !zl_cgroup_has(cg, ZL_TREE_UNIFIED))
    return zl_fail(err, ZL_E_UNSUPPORTED, 0,
                   "resources.unified: invalid configuration: this host has no v2 cgroups");
  for (size_t i = 0; r == 0 && i < res->n_unified; i++)
    r = zl_cgroup_write(cg, ZL_TREE_UNIFIED, res->unified[i].key, res->unified[i].value, err);
  return r == -ZL_E_UNSUPPORTED ? zl_wrap(err, "resources.unified: invalid configuration") : r;
}

static bool has_blkio(const struct zl_resources *res)
{
  return res->blkio_weight != ZL_UNSET || res->blkio_weight_device.n + res->read_bps.n +
                                                  res->write_bps.n + res->read_iops.n +
                                                  res->write_iops.n >
                                              0;
}

static bool is_mounted(const struct zl_cgroup_root *root, const char *dir)
{
  char path[ZL_CGROUP_LINE];

  (void)snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
  return faccessat(root->fd, path, F_OK, 0) == 0;
}

unsigned zl_cgroup_trees_for(const struct zl_cgroup_root *root, const struct zl_resources *res)
{
  unsigned trees = 0;

  if ((res->cpus != NULL && *res->cpus != '\0') || (res->mems != NULL && *res->mems != '\0'))
    trees |= ZL_TREE_BIT(ZL_TREE_CPUSET);
  if (has_blkio(res))
    trees |= ZL_TREE_BIT(ZL_TREE_BLKIO);
  if (res->n_hugepages > 0 && is_mounted(root, "hugetlb"))
    trees |= ZL_TREE_BIT(ZL_TREE_HUGETLB);
  if (res->n_rdma > 0 && is_mounted(root, "rdma"))
    trees |= ZL_TREE_BIT(ZL_TREE_RDMA);
  if (res->net_class != 0 && is_mounted(root, "net_cls"))
    trees |= ZL_TREE_BIT(ZL_TREE_NET_CLS);
  if (res->n_net_priorities > 0 && is_mounted(root, "net_prio"))
    trees |= ZL_TREE_BIT(ZL_TREE_NET_PRIO);
  return trees;
}

static int read_setting(const struct zl_cgroup_root *root, const char *dir, const char *file,
                        struct zl_buf *buf, struct zl_error *err)
{
  char path[ZL_CGROUP_FILE];

  (void)snprintf(path, sizeof(path), "%s/%s", dir, file);
  zl_buf_clear(buf);
  return zl_file_read(root->fd, path, buf, err);
}

/* `dir` and its parent; both below the cpuset tree. */
static int inherit(const struct zl_cgroup_root *root, const char *parent, const char *dir,
                   const char *file, struct zl_error *err)
{
  zl_autobuf own = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  zl_autobuf above = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  char path[ZL_CGROUP_FILE];
  int r = read_setting(root, dir, file, &own, err);

  if (r < 0 || (own.len > 0 && own.data[0] != '\n'))
    return r;
  r = read_setting(root, parent, file, &above, err);
  if (r < 0 || above.len == 0)
    return r;
  (void)snprintf(path, sizeof(path), "%s/%s", dir, file);
  return zl_file_poke(root->fd, path, above.data, err);
}

int zl_cgroup_inherit_cpuset(const struct zl_cgroup *cg, struct zl_error *err)
{
  char dir[ZL_CGROUP_FILE], parent[ZL_CGROUP_FILE] = "cpuset";
  int r = 0;

  for (const char *at = cg->path; r == 0 && *at != '\0';) {
    const char *end = strchrnul(at, '/');

    (void)snprintf(dir, sizeof(dir), "cpuset/%.*s", (int)(end - cg->path), cg->path);
    r = inherit(cg->root, parent, dir, "cpuset.cpus", err);
    if (r == 0)
      r = inherit(cg->root, parent, dir, "cpuset.mems", err);
    (void)stpcpy(parent, dir);
    at = *end == '/' ? end + 1 : end;
  }
  return r;
}

static int move_here(void *payload, pid_t pid, struct zl_error *err)
{
  const struct zl_cgroup *cg = payload;
  struct zl_error why = { 0 };
  int r = 0;

  for (int tree = ZL_TREE_CPUSET; r == 0 && tree < ZL_TREE_COUNT; tree++)
    if (zl_cgroup_has(cg, (enum zl_cgroup_tree)tree))
      r = zl_cgroup_writef(cg, (enum zl_cgroup_tree)tree, &why, "cgroup.procs", "%d", (int)pid);
  /* It ended meanwhile. */
  if (r == 0 || why.os_error == ESRCH)
    return 0;
  if (err != NULL)
    *err = why;
  return r;
}

/* An update may need a tree that the container is not in yet. */
static int join_missing(struct zl_cgroup *cg, const struct zl_resources *res, bool *ret_joined,
                        struct zl_error *err)
{
  const unsigned missing = zl_cgroup_trees_for(cg->root, res) & ~cg->trees;
  int r = 0;

  for (int tree = 0; r == 0 && tree < ZL_TREE_COUNT; tree++)
    if ((missing & ZL_TREE_BIT(tree)) != 0)
      r = zl_cgroup_join_tree(cg, (enum zl_cgroup_tree)tree, err);
  *ret_joined = missing != 0;
  return r;
}

int zl_cgroup_apply_v1(struct zl_cgroup *cg, const struct zl_resources *res, struct zl_error *err)
{
  static int (*const parts[])(const struct zl_cgroup *, const struct zl_resources *,
                              struct zl_error *) = {
    apply_memory,    apply_cpu,  apply_pids,    apply_cpuset,  apply_blkio,
    apply_hugepages, apply_rdma, apply_network, apply_unified,
  };
  bool joined = false;
  int r = join_missing(cg, res, &joined, err);

  for (size_t i = 0; r == 0 && i < ZL_COUNT(parts); i++)
    r = parts[i](cg, res, err);
  if (r == 0 && joined)
    r = zl_cgroup_each_pid(cg, zl_cgroup_main_tree(cg), move_here, cg, err);
  return r;
}
