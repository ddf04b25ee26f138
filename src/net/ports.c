/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "net/net_private.h"

enum {
  CHOICES = 64 /* tries for a free port that the database does not know either */
};

static const char *protocol_name(uint8_t protocol)
{
  return protocol == ZL_NET_UDP ? "udp" : "tcp";
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

  if (port->container_port != 0 && (port->protocol == ZL_NET_TCP || port->protocol == ZL_NET_UDP))
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

static int choose_port(struct zl_net *net, struct zl_net_port *port, struct zl_error *err)
{
  const struct zl_net_port any = *port;

  for (int i = 0; i < CHOICES; i++) {
    struct owner owner = { .name = "" };
    int r = zl__port_test(&any, &port->host_port, err);

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
  return zl__port_test(port, &bound, err);
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
  port.protocol = strcmp(zl_row_text(row, 2), "udp") == 0 ? ZL_NET_UDP : ZL_NET_TCP;
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
