/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/stats.h"

#include "base/time.h"

/* JSON has no unsigned 64-bit integers in jansson: UINT64_MAX, "none", travels as -1. */
static json_int_t number(uint64_t value)
{
  return (json_int_t)value;
}

json_t *stats_render(const struct zl_stats *s)
{
  return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:i}", "time_ns",
                   number(zl_time_wall()), "cpu_usage_ns", number(s->cpu_usage_ns), "cpu_system_ns",
                   number(s->cpu_system_ns), "memory_bytes", number(s->memory_bytes),
                   "memory_limit", number(s->memory_limit), "pids", number(s->pids), "pids_limit",
                   number(s->pids_limit), "block_read_bytes", number(s->block_read_bytes),
                   "block_write_bytes", number(s->block_write_bytes), "net_rx_bytes",
                   number(s->net_rx_bytes), "net_tx_bytes", number(s->net_tx_bytes), "online_cpus",
                   (int)s->online_cpus);
}
