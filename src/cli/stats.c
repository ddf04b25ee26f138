/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/stats.h"

#include <stdint.h>

#include "cli/human.h"

double zl_stats_cpu_percent(const struct zl_stats_pair *pair)
{
  uint64_t elapsed = pair->now.time_ns - pair->before.time_ns;

  if (!pair->has_before || pair->now.time_ns <= pair->before.time_ns ||
      pair->now.cpu_usage_ns < pair->before.cpu_usage_ns)
    return 0;
  return (double)(pair->now.cpu_usage_ns - pair->before.cpu_usage_ns) * 100 / (double)elapsed;
}

/* A limit that does not exist is null. */
static json_t *limit_json(uint64_t limit)
{
  return limit == UINT64_MAX ? json_null() : json_integer((json_int_t)limit);
}

json_t *zl_stats_json(const struct zl_stats_pair *pair)
{
  const struct zl_stats *s = &pair->now;

  return json_pack("{s:s, s:o, s:f, s:I, s:I, s:i, s:I, s:o, s:I, s:o, s:I, s:I, s:I, s:I, s:o}",
                   "id", pair->id, "time", zl_json_time(s->time_ns), "cpuPercent",
                   zl_stats_cpu_percent(pair), "cpuUsageNs", (json_int_t)s->cpu_usage_ns,
                   "cpuSystemNs", (json_int_t)s->cpu_system_ns, "onlineCpus", (int)s->online_cpus,
                   "memoryBytes", (json_int_t)s->memory_bytes, "memoryLimit",
                   limit_json(s->memory_limit), "pids", (json_int_t)s->pids, "pidsLimit",
                   limit_json(s->pids_limit), "blockReadBytes", (json_int_t)s->block_read_bytes,
                   "blockWriteBytes", (json_int_t)s->block_write_bytes, "netRxBytes",
                   (json_int_t)s->net_rx_bytes, "netTxBytes", (json_int_t)s->net_tx_bytes, "tier",
                   zl_json_text(s->tier[0] != '\0' ? s->tier : NULL));
}

static int add_pair(struct zl_table *table, uint64_t a, uint64_t b, struct zl_error *err)
{
  char left[ZL_HUMAN_TEXT], right[ZL_HUMAN_TEXT];

  return zl_table_addf(table, err, "%s / %s", zl_human_size(a, left),
                       b == UINT64_MAX ? "no limit" : zl_human_size(b, right));
}

int zl_stats_row(struct zl_table *table, const struct zl_stats_pair *pair, struct zl_error *err)
{
  const struct zl_stats *s = &pair->now;
  bool limited = s->memory_limit != UINT64_MAX && s->memory_limit > 0;
  int r = zl_table_add(table, pair->id, err);

  if (r >= 0)
    r = zl_table_addf(table, err, "%.1f%%", zl_stats_cpu_percent(pair));
  if (r >= 0)
    r = add_pair(table, s->memory_bytes, s->memory_limit, err);
  if (r >= 0)
    r = limited ? zl_table_addf(table, err, "%.1f%%",
                                (double)s->memory_bytes * 100 / (double)s->memory_limit)
                : zl_table_add(table, "-", err);
  if (r >= 0)
    r = add_pair(table, s->net_rx_bytes, s->net_tx_bytes, err);
  if (r >= 0)
    r = add_pair(table, s->block_read_bytes, s->block_write_bytes, err);
  if (r >= 0)
    r = zl_table_addf(table, err, "%llu", (unsigned long long)s->pids);
  return r < 0 ? r : zl_table_add(table, s->tier[0] != '\0' ? s->tier : "-", err);
}
