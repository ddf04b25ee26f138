/* SPDX-License-Identifier: Apache-2.0 */
#include "net/orphans.h"

#include "net/net_private.h"

struct orphans {
  struct zl_net *net;
  zl_link_fn fn;
  void *ctx;
};

static int see_link(void *ctx, const struct zl_link_info *link, struct zl_error *err)
{
  const struct orphans *orphans = ctx;
  bool owned = false;
  int r = zl_store_query(orphans->net->store, zl__net_note_any, &owned, err,
                         "SELECT 1 FROM leases WHERE link=?", "s", link->name);

  if (r < 0 || owned)
    return r;
  return orphans->fn(orphans->ctx, link, err);
}

int zl_net_list_orphans(struct zl_net *net, zl_link_fn fn, void *ctx, struct zl_error *err)
{
  struct orphans orphans = { net, fn, ctx };

  return zl_link_list(net->link_prefix, see_link, &orphans, err);
}
