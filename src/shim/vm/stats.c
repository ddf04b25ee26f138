/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/vm/stats.h"

#include <stdlib.h>

#include "base/json.h"
#include "shim/conn.h"
#include "shim/stats.h"

/* Who asked; the connection may have gone when the answer comes. */
struct question {
  struct vm_shim *vm;
  uint64_t serial;
};

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
    conn_send(conn,
              json_pack("{s:b, s:o, s:s*}", "ok", 1, "stats", stats_render(&stats), "tier",
                        vm->shim.tier),
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
