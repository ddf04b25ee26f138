/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/json.h"
#include "shim/conn.h"
#include "shim/hcs/hcs.h"
#include "shim/stats.h"
#include "shim/win32/loop.h"

/* Who asked; the connection may have gone when the answer comes. */
struct question {
  struct hcs_shim *hcs;
  uint64_t serial;
  struct zl_stats stats;
  struct zl_error failure;
};

static void run(void *ctx)
{
  struct question *q = ctx;

  (void)zl_hcs_instance_stats(q->hcs->instance, &q->stats, &q->failure);
}

static void answer(void *ctx)
{
  struct question *q = ctx;
  struct conn *conn = conn_find(&q->hcs->shim, q->serial);

  if (conn != NULL && q->failure.code != ZL_OK)
    conn_fail(conn, &q->failure);
  else if (conn != NULL)
    conn_send(conn, json_pack("{s:b, s:o}", "ok", 1, "stats", stats_render(&q->stats)), NULL, 0);
  free(q);
}

int hcs_stats(struct conn *conn, struct zl_error *err)
{
  struct question *q = calloc(1, sizeof(*q));
  int r;

  if (q == NULL)
    return zl_fail_nomem(err, "statistics");
  q->hcs = hcs_of(conn->shim);
  q->serial = conn->serial;
  r = loop_work(run, answer, q, err);
  if (r < 0)
    free(q);
  return r;
}
