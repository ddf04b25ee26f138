/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/limits.h"
#include "net/net_private.h"

enum {
  CHOICES = 64 /* tries for a free port that the database does not know either */
};

static const char *protocol_name(uint8_t protocol)
{
  return protocol == IPPROTO_UDP ? "udp" : "tcp";
}

const char *zl_net_port_format(const struct zl_net_port *port, char text[ZL_NET_PORT_TEXT])
{
  char address[ZL_IP4_TEXT];

  (void)snprintf(text, ZL_NET_PORT_TEXT, "%s:%u->%u/%s", zl_ip4_format(port->host_ip, address),
                 port->host_port, port->container_port, protocol_name(port->protocol));
  return text;
}

static int check_port(const struct zl_net_port *port, struct zl_error *err)
{
  char text[ZL_NET_PORT_TEXT];

  if (port->container_port != 0 && (port->protocol == IPPROTO_TCP || port->protocol == IPPROTO_UDP))
    return 0;
  return zl_fail(err, ZL_E_INVALID, 0, "port %s: a container port and tcp or udp are needed",
                 zl_net_port_format(port, text));
}

struct owner {
  char name[ZL_MAX_ID + 1];
};

static int take_owner(void *ctx, const struct zl_row *row, struct zl_error *err)
{
  struct owner *owner = ctx;

  (void)err;
  (void)snprintf(owner->name, sizeof(owner->name), "%s", zl_row_text(row, 0));
  return 1;
}

/* Every address of the host and one of them exclude each other. */
static int find_owner(struct zl_net *net, const struct zl_net_port *port, struct owner *ret,
                      struct zl_error *err)
{
  char ip[ZL_IP4_TEXT];

  zl_ip4_format(port->host_ip, ip);
  ret->name[0] = '\0';
  return zl_store_query(net->store, take_owner, ret, err,
                        "SELECT container FROM ports WHERE host_port=? AND protocol=? AND"
                        " (host_ip=? OR host_ip='0.0.0.0' OR ?='0.0.0.0')",
                        "isss", (int64_t)port->host_port, protocol_name(port->protocol), ip, ip);
}

/* Binds the port for a moment. SO_REUSEADDR lets a TCP port pass whose last connections are still
 * in TIME_WAIT, but never one that is listened on; on UDP it would let every port pass. */
static int test_bind(const struct zl_net_port *port, uint16_t *ret_port, struct zl_error *err)
{
  bool tcp = port->protocol == IPPROTO_TCP;
  zl_autofd sock = socket(AF_INET, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = { .sin_family = AF_INET,
                                 .sin_port = htons(port->host_port),
                                 .sin_addr.s_addr = htonl(port->host_ip) };
  socklen_t len = sizeof(address);
  char text[ZL_NET_PORT_TEXT];
  const int on = 1;

  if (sock < 0 || (tcp && setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0))
    return zl_fail_errno(err, "opening a socket to test a port");
  zl_net_port_format(port, text);
  if (bind(sock, (struct sockaddr *)&address, len) < 0) {
    if (errno == EADDRINUSE)
      return zl_fail(err, ZL_E_CONFLICT, 0, "port %s: a program of this host is using it", text);
    if (errno == EADDRNOTAVAIL)
      return zl_fail(err, ZL_E_INVALID, 0, "port %s: this host has no such address", text);
    return zl_fail_errno(err, "port %s", text);
  }
  if (getsockname(sock, (struct sockaddr *)&address, &len) < 0)
    return zl_fail_errno(err, "port %s", text);
  *ret_port = ntohs(address.sin_port);
  return 0;
}

static int choose_port(struct zl_net *net, struct zl_net_port *port, struct zl_error *err)
{
  const struct zl_net_port any = *port;

  for (int i = 0; i < CHOICES; i++) {
    struct owner owner = { .name = "" };
    int r = test_bind(&any, &port->host_port, err);

    if (r == 0)
      r = find_owner(net, port, &owner, err);
    if (r < 0 || owner.name[0] == '\0')
      return r;
  }
  return zl_fail(err, ZL_E_LIMIT, 0, "no free %s port was found on this host",
                 protocol_name(port->protocol));
}

static int claim_port(struct zl_net *net, const struct zl_net_port *port, struct zl_error *err)
{
  char text[ZL_NET_PORT_TEXT];
  struct owner owner;
  uint16_t bound;
  int r = find_owner(net, port, &owner, err);

  if (r < 0)
    return r;
  if (owner.name[0] != '\0')
    return zl_fail(err, ZL_E_CONFLICT, 0, "port %s: container '%s' has it",
                   zl_net_port_format(port, text), owner.name);
  return test_bind(port, &bound, err);
}

static int reserve_one(struct zl_net *net, const char *container, struct zl_net_port *port,
                       struct zl_error *err)
{
  char ip[ZL_IP4_TEXT];
  int r = check_port(port, err);

  if (r == 0)
    r = port->host_port == 0 ? choose_port(net, port, err) : claim_port(net, port, err);
  if (r < 0)
    return r;
  return zl_store_run(net->store, err, "INSERT INTO ports VALUES (?, ?, ?, ?, ?)", "sissi",
                      zl_ip4_format(port->host_ip, ip), (int64_t)port->host_port,
                      protocol_name(port->protocol), container, (int64_t)port->container_port);
}

int zl_ports_reserve(struct zl_net *net, const char *container, struct zl_net_port *ports,
                     size_t count, struct zl_error *err)
{
  struct zl_lease lease;
  int r = count == 0 ? 0 : zl_lease_find(net, container, &lease, err);

  if (r == 0 && count > ZL_MAX_LIST)
    return zl_fail(err, ZL_E_LIMIT, 0, "more than %d published ports", ZL_MAX_LIST);
  for (size_t i = 0; r == 0 && i < count; i++)
    r = reserve_one(net, container, &ports[i], err);
  return r;
}

int zl_ports_release(struct zl_net *net, const char *container, struct zl_error *err)
{
  return zl_store_run(net->store, err, "DELETE FROM ports WHERE container=?", "s", container);
}

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

struct listing {
  zl_ports_fn fn;
  void *ctx;
};

static int list_one(void *ctx, const struct zl_row *row, struct zl_error *err)
{
  const struct listing *listing = ctx;
  struct zl_net_port port = { .host_port = (uint16_t)zl_row_int(row, 1),
                              .container_port = (uint16_t)zl_row_int(row, 3) };

  (void)zl_ip4_parse(zl_row_text(row, 0), &port.host_ip);
  port.protocol = strcmp(zl_row_text(row, 2), "udp") == 0 ? IPPROTO_UDP : IPPROTO_TCP;
  return listing->fn(listing->ctx, zl_row_text(row, 4), &port, err);
}

int zl_ports_list(struct zl_net *net, const char *container, zl_ports_fn fn, void *ctx,
                  struct zl_error *err)
{
  struct listing listing = { fn, ctx };

  return zl_store_query(net->store, list_one, &listing, err,
                        "SELECT host_ip, host_port, protocol, container_port, container FROM ports"
                        " WHERE container=?1 OR ?1 IS NULL ORDER BY container, host_port, protocol",
                        "s", container);
}
