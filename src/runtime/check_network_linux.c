/* SPDX-License-Identifier: Apache-2.0
 *
 * The system check of bridge, links, leases and port rules.
 */
#include <net/if.h>

#include "net/orphans.h"
#include "runtime/check.h"

/* A link that is down was torn down and goes with its namespace in a moment. One that is up may
 * belong to a container that was found and is not taken back yet. */
static int check_link(void *ctx, const struct zl_link_info *link, struct zl_error *err)
{
  struct zl_check *check = ctx;
  bool removed;

  (void)err;
  if (check->strangers)
    return 0;
  removed = check->repair && zl_link_remove(link->name, NULL) == 0;
  if (!(link->flags & IFF_UP))
    return 0;
  return zl_check_report(check, "link", link->name, "belongs to no container", removed);
}

/* Somebody flushed the firewall or removed the bridge while containers use it. */
static int check_bridge(struct zl_check *check, struct zl_net *net, struct zl_error *err)
{
  struct zl_net_status status = { 0 };
  int64_t used = 0;
  bool repaired;
  int r = zl_store_query(check->rt->store, zl_row_keep_int, &used, err,
                         "SELECT count(*) FROM leases JOIN containers ON id = container"
                         " WHERE backend IN ('linux', 'vm')",
                         "");

  if (r == 0)
    r = zl_net_status(net, &status, err);
  if (r < 0 || used == 0 || (status.bridge && status.rules))
    return r;
  repaired = check->repair && zl_net_ensure(net, NULL) == 0 && zl_ports_rebuild(net, NULL) == 0;
  return zl_check_report(check, status.bridge ? "ports" : "link", zl_net_bridge(net),
                         status.bridge ? "the rules of the overlay are missing"
                                       : "the bridge of the overlay is missing",
                         repaired);
}

int zl_check_network(struct zl_check *check, struct zl_error *err)
{
  struct zl_net *net = NULL;
  int r = zl_node_net(check->rt, &net, err);

  if (r == 0)
    r = zl_net_list_orphans(net, check_link, check, err);
  if (r == 0 && !check->enough)
    r = check_bridge(check, net, err);
  if (r == 0 && check->repair)
    r = zl_net_teardown_if_unused(net, NULL, err);
  return r;
}
