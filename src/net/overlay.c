/* SPDX-License-Identifier: Apache-2.0
 *
 * The overlay on Linux: a bridge and rules of nftables.
 */
#include "net/overlay.h"

#include <net/if.h>
#include <string.h>

#include "net/bridge.h"
#include "net/orphans.h"

_Static_assert((int)ZL_LEASE_LINK == (int)ZL_LINK_NAME, "a lease has room for any link's name");

int zl__net_has_link(const char *name, struct zl_error *err)
{
  return zl_link_exists(name, err);
}

struct zl_rules zl__net_rules(const struct zl_net *net)
{
  return (struct zl_rules){
    .table = net->table, .bridge = net->bridge, .link_prefix = net->link_prefix, .slice = net->slice
  };
}

static bool is_complete(const struct zl_net *net, const struct zl_bridge *bridge)
{
  char alias[ZL_BRIDGE_ALIAS];

  return bridge->up && strcmp(bridge->alias, zl_bridge_alias(&net->slice, alias)) == 0;
}

int zl_net_status(struct zl_net *net, struct zl_net_status *ret, struct zl_error *err)
{
  struct zl_rules rules = zl__net_rules(net);
  struct zl_bridge bridge;
  int r = zl_bridge_find(net->bridge, &bridge, err), exist = 0;

  if (r == 0)
    r = exist = zl_rules_exist(&rules, err);
  if (r < 0)
    return r;
  ret->bridge = is_complete(net, &bridge);
  ret->rules = exist > 0;
  return 0;
}

/* True when the bridge was completed for another slice; the generation does not matter. */
static bool serves_other_slice(const struct zl_net *net, const struct zl_bridge *bridge)
{
  char slice[ZL_SLICE_TEXT];
  const char *last = strrchr(bridge->alias, ' ');

  return last != NULL && strcmp(last + 1, zl_slice_format(&net->slice, slice)) != 0;
}

/* A link that is down belonged to a container that has ended. */
static int remove_if_down(void *ctx, const struct zl_link_info *link, struct zl_error *err)
{
  (void)ctx;
  return (link->flags & IFF_UP) != 0 ? 0 : zl_link_remove(link->name, err);
}

static int drop_other_slice(struct zl_net *net, struct zl_bridge *bridge, struct zl_error *err)
{
  int r = zl_net_list_orphans(net, remove_if_down, NULL, err);

  if (r == 0)
    r = zl_bridge_has_ports(bridge, err);
  if (r > 0)
    return zl_fail(err, ZL_E_CONFLICT, 0,
                   "bridge '%s' still carries containers of slice %s: remove them first, or go on "
                   "with that slice",
                   net->bridge, strrchr(bridge->alias, ' ') + 1);
  if (r == 0)
    r = zl_link_remove(net->bridge, err);
  bridge->index = 0;
  return r;
}

/* What can be repaired in place is, since containers may be running on the bridge. */
static int ensure_bridge(struct zl_net *net, struct zl_error *err)
{
  struct zl_bridge bridge;
  int r = zl_bridge_find(net->bridge, &bridge, err);

  if (r == 0 && bridge.index != 0 && serves_other_slice(net, &bridge))
    r = drop_other_slice(net, &bridge, err);
  if (r < 0 || (bridge.index != 0 && is_complete(net, &bridge)))
    return r;
  r = zl_overlap_check(&net->slice, bridge.index, err);
  if (r == 0 && bridge.index == 0)
    r = zl_bridge_create(net->bridge, &net->slice, err);
  return r;
}

static int ensure_rules(struct zl_net *net, bool renew, struct zl_error *err)
{
  struct zl_rules rules = zl__net_rules(net);
  int r = renew ? 0 : zl_rules_exist(&rules, err);

  if (r != 0)
    return r < 0 ? r : 0;
  r = zl_rules_install(&rules, err);
  return r < 0 ? r : zl__ports_restore(net, false, err);
}

/* The alias is written last: a bridge that bears it has everything else, rules included. */
static int build(struct zl_net *net, struct zl_error *err)
{
  struct zl_net_status status;
  int r = zl_net_status(net, &status, err);

  if (r < 0 || (status.bridge && status.rules))
    return r;
  r = ensure_bridge(net, err);
  if (r == 0)
    r = zl_forwarding_enable(err);
  if (r == 0)
    r = ensure_rules(net, !status.bridge, err);
  if (r == 0 && !status.bridge)
    r = zl_bridge_configure(net->bridge, &net->slice, err);
  return r;
}

int zl_net_ensure(struct zl_net *net, struct zl_error *err)
{
  struct zl_net_status status;
  zl_autofd lock = -1;
  int r = zl_net_status(net, &status, err);

  if (r == 0 && !(status.bridge && status.rules)) {
    r = zl__net_lock(net, &lock, err);
    if (r == 0)
      r = build(net, err);
  }
  return r < 0 ? zl_wrap(err, "overlay network") : 0;
}

static int remove_link(void *ctx, const struct zl_link_info *link, struct zl_error *err)
{
  (void)ctx;
  return zl_link_remove(link->name, err);
}

/* In a write transaction, so that no lease appears meanwhile. */
static int remove_unused(struct zl_net *net, bool *ret_removed, struct zl_error *err)
{
  struct zl_rules rules = zl__net_rules(net);
  int64_t leases = 0;
  int r =
      zl_store_query(net->store, zl_row_keep_int, &leases, err, "SELECT count(*) FROM leases", "");

  if (r < 0 || leases > 0)
    return r;
  r = zl_link_list(net->link_prefix, remove_link, NULL, err);
  if (r == 0)
    r = zl_link_remove(net->bridge, err);
  if (r == 0)
    r = zl_rules_remove(&rules, err);
  *ret_removed = r == 0;
  return r;
}

int zl_net_teardown_if_unused(struct zl_net *net, bool *ret_removed, struct zl_error *err)
{
  bool removed = false;
  zl_autofd lock = -1;
  int r = zl__net_lock(net, &lock, err);

  if (r == 0)
    r = zl_store_begin(net->store, err);
  if (r < 0)
    return r;
  r = remove_unused(net, &removed, err);
  zl_store_rollback(net->store); /* nothing was written */
  if (r == 0 && ret_removed != NULL)
    *ret_removed = removed;
  return r;
}
