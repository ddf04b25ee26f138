/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/strv.h"
#include "engine/cgroup_private.h"

#define NS_PER_US UINT64_C(1000)

/* cpu.stat of the v2 tree exists without any controller and needs no tree of its own. */
static int cpu_of_unified(const struct zl_cgroup *cg, struct zl_cgroup_stats *s,
                          struct zl_error *err)
{
  zl_autobuf buf = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  uint64_t us = 0;
  int r = zl_cgroup_read(cg, ZL_TREE_UNIFIED, "cpu.stat", &buf, err);

  if (r < 0 || buf.data == NULL)
    return r;
  if (zl_cgroup_find_key(buf.data, "usage_usec", &us))
    s->cpu_usage_ns = us * NS_PER_US;
  if (zl_cgroup_find_key(buf.data, "user_usec", &us))
    s->cpu_user_ns = us * NS_PER_US;
  if (zl_cgroup_find_key(buf.data, "system_usec", &us))
    s->cpu_system_ns = us * NS_PER_US;
  return 0;
}

static int cpu_of_v1(const struct zl_cgroup *cg, struct zl_cgroup_stats *s, struct zl_error *err)
{
  int r = zl_cgroup_read_number(cg, ZL_TREE_CPUACCT, "cpuacct.usage", &s->cpu_usage_ns, err);

  if (r == 0)
    r = zl_cgroup_read_number(cg, ZL_TREE_CPUACCT, "cpuacct.usage_user", &s->cpu_user_ns, err);
  if (r == 0)
    r = zl_cgroup_read_number(cg, ZL_TREE_CPUACCT, "cpuacct.usage_sys", &s->cpu_system_ns, err);
  return r;
}

/* File cache that nobody used lately is given back before anything is killed for memory. */
static int memory_of(const struct zl_cgroup *cg, enum zl_cgroup_tree tree, const char *usage_file,
                     const char *limit_file, const char *cache_key, struct zl_cgroup_stats *s,
                     struct zl_error *err)
{
  uint64_t usage = 0, cache = 0;
  int r = zl_cgroup_read_number(cg, tree, usage_file, &usage, err);

  if (r == 0)
    r = zl_cgroup_read_key(cg, tree, "memory.stat", cache_key, &cache, err);
  if (r == 0)
    r = zl_cgroup_read_number(cg, tree, limit_file, &s->memory_limit, err);
  if (r == 0)
    s->memory_bytes = usage > cache ? usage - cache : 0;
  return r;
}

static int pids_of(const struct zl_cgroup *cg, enum zl_cgroup_tree tree, struct zl_cgroup_stats *s,
                   struct zl_error *err)
{
  int r = zl_cgroup_read_number(cg, tree, "pids.current", &s->pids, err);

  if (r == 0)
    r = zl_cgroup_read_number(cg, tree, "pids.max", &s->pids_limit, err);
  return r;
}

/* "8:0 Read 4096", and a "Total 4096" line at the end. */
static void sum_v1_io(char *text, struct zl_cgroup_stats *s)
{
  for (char *next = text; next != NULL;) {
    char *line = strsep(&next, "\n");
    const char *device = strsep(&line, " "), *kind = strsep(&line, " ");
    uint64_t bytes;

    if (device == NULL || kind == NULL || line == NULL || !zl_parse_u64(line, UINT64_MAX, &bytes))
      continue;
    if (strcmp(kind, "Read") == 0)
      s->block_read_bytes += bytes;
    else if (strcmp(kind, "Write") == 0)
      s->block_write_bytes += bytes;
  }
}

/* "8:0 rbytes=1 wbytes=2 rios=3 …" */
static void sum_v2_io(char *text, struct zl_cgroup_stats *s)
{
  for (char *next = text; next != NULL;) {
    char *word = strsep(&next, " \n");
    uint64_t bytes;

    if (zl_has_prefix(word, "rbytes=") && zl_parse_u64(word + 7, UINT64_MAX, &bytes))
      s->block_read_bytes += bytes;
    else if (zl_has_prefix(word, "wbytes=") && zl_parse_u64(word + 7, UINT64_MAX, &bytes))
      s->block_write_bytes += bytes;
  }
}

static int io_of(const struct zl_cgroup *cg, enum zl_cgroup_tree tree, const char *file,
                 void (*sum)(char *, struct zl_cgroup_stats *), struct zl_cgroup_stats *s,
                 struct zl_error *err)
{
  zl_autobuf buf = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  int r = zl_cgroup_read(cg, tree, file, &buf, err);

  if (r == 0 && buf.data != NULL)
    sum(buf.data, s);
  return r;
}

static int stats_v1(const struct zl_cgroup *cg, struct zl_cgroup_stats *s, struct zl_error *err)
{
  int r = 0;

  if (zl_cgroup_has(cg, ZL_TREE_UNIFIED))
    r = cpu_of_unified(cg, s, err);
  else if (zl_cgroup_has(cg, ZL_TREE_CPUACCT))
    r = cpu_of_v1(cg, s, err);
  if (r == 0 && zl_cgroup_has(cg, ZL_TREE_MEMORY))
    r = memory_of(cg, ZL_TREE_MEMORY, "memory.usage_in_bytes", "memory.limit_in_bytes",
                  "total_inactive_file", s, err);
  if (r == 0 && zl_cgroup_has(cg, ZL_TREE_PIDS))
    r = pids_of(cg, ZL_TREE_PIDS, s, err);
  if (r == 0 && zl_cgroup_has(cg, ZL_TREE_BLKIO))
    r = io_of(cg, ZL_TREE_BLKIO, "blkio.throttle.io_service_bytes_recursive", sum_v1_io, s, err);
  return r;
}

/* A controller that the host keeps for itself is a missing file. */
static int unless_missing(int r)
{
  return r == -ZL_E_NOT_FOUND ? 0 : r;
}

static int stats_v2(const struct zl_cgroup *cg, struct zl_cgroup_stats *s, struct zl_error *err)
{
  int r = cpu_of_unified(cg, s, err);

  if (r == 0)
    r = unless_missing(
        memory_of(cg, ZL_TREE_UNIFIED, "memory.current", "memory.max", "inactive_file", s, err));
  if (r == 0)
    r = unless_missing(pids_of(cg, ZL_TREE_UNIFIED, s, err));
  if (r == 0)
    r = unless_missing(io_of(cg, ZL_TREE_UNIFIED, "io.stat", sum_v2_io, s, err));
  return r;
}

int zl_cgroup_stats(const struct zl_cgroup *cg, struct zl_cgroup_stats *ret, struct zl_error *err)
{
  struct zl_cgroup_stats s = { .memory_limit = UINT64_MAX, .pids_limit = UINT64_MAX };
  struct zl_error why = { 0 };
  int r = cg->root->mode == ZL_CGROUP_V2 ? stats_v2(cg, &s, &why) : stats_v1(cg, &s, &why);

  if (r == 0)
    *ret = s;
  else if (err != NULL)
    *err = why;
  return r;
}

int zl_cgroup_oom_kills(const struct zl_cgroup *cg, uint64_t *ret, struct zl_error *err)
{
  struct zl_error why = { 0 };
  int r;

  *ret = 0;
  if (cg->root->mode == ZL_CGROUP_V2)
    r = zl_cgroup_read_key(cg, ZL_TREE_UNIFIED, "memory.events", "oom_kill", ret, &why);
  else
    r = zl_cgroup_read_key(cg, ZL_TREE_MEMORY, "memory.oom_control", "oom_kill", ret, &why);
  r = unless_missing(r);
  if (r < 0 && err != NULL)
    *err = why;
  return r;
}

/* "max 100000" and "50000 100000". */
static int bandwidth_of_v2(const struct zl_cgroup *cg, int64_t *ret_quota, int64_t *ret_period,
                           struct zl_error *err)
{
  zl_autobuf buf = ZL_BUF_INIT(ZL_CGROUP_LINE);
  char *period, *quota;
  uint64_t first = 0, second;
  int r = zl_cgroup_read(cg, ZL_TREE_UNIFIED, "cpu.max", &buf, err);

  if (r < 0)
    return r;
  period = buf.data;
  quota = strsep(&period, " \n");
  if (period != NULL)
    period[strcspn(period, "\n")] = '\0';
  if (period == NULL || !zl_parse_u64(period, INT64_MAX, &second) ||
      (strcmp(quota, "max") != 0 && !zl_parse_u64(quota, INT64_MAX, &first)))
    return zl_fail(err, ZL_E_SYSTEM, 0, "cgroup file 'cpu.max': not a quota and a period");
  *ret_quota = strcmp(quota, "max") == 0 ? -1 : (int64_t)first;
  *ret_period = (int64_t)second;
  return 0;
}

int zl_cgroup_bandwidth(const struct zl_cgroup *cg, int64_t *ret_quota_us, int64_t *ret_period_us,
                        struct zl_error *err)
{
  zl_autobuf buf = ZL_BUF_INIT(ZL_CGROUP_LINE);
  uint64_t quota = 0, period = 0;
  bool has_none;
  int r;

  if (cg->root->mode == ZL_CGROUP_V2)
    return bandwidth_of_v2(cg, ret_quota_us, ret_period_us, err);
  r = zl_cgroup_read(cg, ZL_TREE_CPU, "cpu.cfs_quota_us", &buf, err);
  has_none = buf.data != NULL && *buf.data == '-';
  if (r == 0 && !has_none)
    r = zl_cgroup_read_number(cg, ZL_TREE_CPU, "cpu.cfs_quota_us", &quota, err);
  if (r == 0)
    r = zl_cgroup_read_number(cg, ZL_TREE_CPU, "cpu.cfs_period_us", &period, err);
  if (r < 0)
    return r;
  *ret_quota_us = has_none ? -1 : (int64_t)quota;
  *ret_period_us = (int64_t)period;
  return 0;
}
