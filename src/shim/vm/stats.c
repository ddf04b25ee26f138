/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/vm/stats.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/time.h"
#include "shim/conn.h"

/* Who asked; the connection may have gone when the answer comes. */
struct question {
  struct vm_shim *vm;
  uint64_t serial;
};

static json_t *number(uint64_t value)
{
  return json_integer((json_int_t)value); /* UINT64_MAX, "none", travels as -1 */
}

static json_t *render(const struct zl_stats *s)
{
  return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:i}", "time_ns",
                   number(zl_time_wall()), "cpu_usage_ns", number(s->cpu_usage_ns), "cpu_system_ns",
                   number(s->cpu_system_ns), "memory_bytes", number(s->memory_bytes),
                   "memory_limit", number(s->memory_limit), "pids", number(s->pids), "pids_limit",
                   number(s->pids_limit), "block_read_bytes", number(s->block_read_bytes),
                   "block_write_bytes", number(s->block_write_bytes), "net_rx_bytes",
                   number(s->net_rx_bytes), "net_tx_bytes", number(s->net_tx_bytes), "online_cpus",
                   (int)s->online_cpus);
}

static int understand(const json_t *reply, struct zl_stats *ret, struct zl_error *err)
{
  zl_autojson *properties = NULL;
  int r = zl_rpc_parse_properties(reply, &properties, err);

  return r < 0 ? r : zl_rpc_parse_statistics(properties, ret, err);
}

static void answered(void *ctx, int r, const json_t *reply, const struct zl_error *err)
{
  struct question *question = ctx;
  struct vm_shim *vm = question->vm;
  struct conn *conn = conn_find(&vm->shim, question->serial);
  struct zl_stats stats = { 0 };
  struct zl_error why = { 0 };

  free(question);
  if (conn == NULL)
    return;
  if (r == 0)
    r = understand(reply, &stats, &why);
  else
    why = *err;
  if (r < 0)
    conn_fail(conn, &why);
  else
    conn_send(
        conn,
        json_pack("{s:b, s:o, s:s*}", "ok", 1, "stats", render(&stats), "tier", vm->shim.tier),
        NULL, 0);
}

int vm_stats(struct conn *conn, struct zl_error *err)
{
  struct vm_shim *vm = vm_of(conn->shim);
  struct question *question;
  struct zl_rpc_then then;
  int r = guest_check(&vm->guest, err);

  if (r < 0)
    return r;
  question = malloc(sizeof(*question));
  if (question == NULL)
    return zl_fail_nomem(err, "statistics");
  *question = (struct question){ .vm = vm, .serial = conn->serial };
  then = guest_then(answered, question, PATIENCE_STATS);
  r = zl_rpc_properties(vm->guest.client, vm->shim.id, ZL_RPC_STATISTICS, &then, err);
  if (r < 0)
    free(question);
  else
    guest_flush(&vm->guest);
  return r;
}
