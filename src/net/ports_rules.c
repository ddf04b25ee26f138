/* SPDX-License-Identifier: Apache-2.0
 *
 * Published ports as rules of nftables.
 */
#include <netinet/in.h>
#include <string.h>

#include "base/limits.h"
#include "net/overlay.h"

struct port_list {
  struct zl_rules_port *items;
  size_t count, room;
  bool unleased; /* also ports whose container has no address any more */
};

static void free_list(struct port_list *list)
{
  free(list->items);
}

static int grow(struct port_list *list, struct zl_error *err)
{
  size_t room = list->room == 0 ? 16 : list->room * 2;
  struct zl_rules_port *items;

  if (list->count < list->room)
    return 0;
  if (list->count == ZL_MAX_PUBLISHED)
    return zl_fail(err, ZL_E_LIMIT, 0, "more than %d published ports", ZL_MAX_PUBLISHED);
  items = reallocarray(list->items, room, sizeof(*items));
  if (items == NULL)
    return zl_fail_nomem(err, "the published ports");
  list->items = items;
  list->room = room;
  return 0;
}

static int collect(void *ctx, const struct zl_row *row, struct zl_error *err)
{
  struct port_list *list = ctx;
  struct zl_rules_port port = { .host_port = (uint16_t)zl_row_int(row, 1),
                                .container_port = (uint16_t)zl_row_int(row, 3),
                                .address = (uint32_t)zl_row_int(row, 4) };
  int r;

  if (port.address == 0 && !list->unleased)
    return 0;
  r = grow(list, err);
  if (r < 0)
    return r;
  port.protocol = strcmp(zl_row_text(row, 2), "udp") == 0 ? IPPROTO_UDP : IPPROTO_TCP;
  if (!zl_ip4_parse(zl_row_text(row, 0), &port.host_ip))
    return zl_fail(err, ZL_E_CORRUPT, 0, "table ports: '%s' is no address", zl_row_text(row, 0));
  list->items[list->count++] = port;
  return 0;
}

#define SELECT_PORTS                                                                   \
  "SELECT host_ip, host_port, protocol, container_port, address, ports.container FROM" \
  " ports LEFT JOIN leases ON leases.container = ports.container"

static int load(struct zl_net *net, const char *container, struct port_list *list,
                struct zl_error *err)
{
  if (container == NULL)
    return zl_store_query(net->store, collect, list, err, SELECT_PORTS, "");
  return zl_store_query(net->store, collect, list, err, SELECT_PORTS " WHERE ports.container=?",
                        "s", container);
}

int zl_ports_apply(struct zl_net *net, const char *container, struct zl_error *err)
{
  ZL_CLEANUP(free_list) struct port_list list = { .items = NULL };
  struct zl_rules rules = zl__net_rules(net);
  struct zl_error own = { 0 };
  int r = load(net, container, &list, err);

  if (r < 0 || list.count == 0)
    return r;
  r = zl_rules_add_ports(&rules, list.items, list.count, &own);
  /* Whoever flushed the rules took all ports with them; these are among what is put back. */
  if (r == -ZL_E_NOT_FOUND)
    return zl_net_ensure(net, err);
  if (r < 0 && err != NULL)
    *err = own;
  return r;
}

/* Host before record, in one transaction: a restore of all ports comes either before or after. */
int zl_ports_withdraw(struct zl_net *net, const char *container, struct zl_error *err)
{
  ZL_CLEANUP(free_list) struct port_list list = { .unleased = true };
  struct zl_rules rules = zl__net_rules(net);
  int r = load(net, container, &list, err);

  if (r < 0 || list.count == 0)
    return r;
  r = zl_store_begin(net->store, err);
  if (r < 0)
    return r;
  r = zl_rules_remove_ports(&rules, list.items, list.count, err);
  if (r == 0)
    r = zl_ports_release(net, container, err);
  if (r == 0)
    return zl_store_commit(net->store, err);
  zl_store_rollback(net->store);
  return r;
}

int zl__ports_restore(struct zl_net *net, bool clear, struct zl_error *err)
{
  ZL_CLEANUP(free_list) struct port_list list = { .items = NULL };
  struct zl_rules rules = zl__net_rules(net);
  int r = zl_store_begin(net->store, err);

  if (r < 0)
    return r;
  r = load(net, NULL, &list, err);
  if (r == 0 && clear)
    r = zl_rules_clear_ports(&rules, err);
  if (r == 0)
    r = zl_rules_add_ports(&rules, list.items, list.count, err);
  zl_store_rollback(net->store); /* nothing was written */
  return r;
}

int zl_ports_rebuild(struct zl_net *net, struct zl_error *err)
{
  zl_autofd lock = -1;
  int r = zl_net_ensure(net, err);

  if (r == 0)
    r = zl__net_lock(net, &lock, err);
  return r < 0 ? r : zl__ports_restore(net, true, err);
}
