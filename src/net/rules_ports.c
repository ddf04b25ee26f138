/* SPDX-License-Identifier: Apache-2.0 */
#include "net/rules_ports.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "net/rules.h"

enum {
  IP_DESTINATION = 16,
  PORT_DESTINATION = 2, /* in TCP and UDP alike */
  CHUNK = 48,           /* ports in one batch, one request each: under ZL_NL_REQUESTS */
  /* nft's numbers, by which its listing shows the maps; a concatenation takes six bits each. */
  TYPE_ADDRESS = 7,
  TYPE_PROTOCOL = 12,
  TYPE_PORT = 13,
  TYPE_TARGET = TYPE_ADDRESS << 6 | TYPE_PORT
};

static const struct zl_nft_set any_map = {
  .name = "any_address",
  .id = 1,
  .key_type = TYPE_PROTOCOL << 6 | TYPE_PORT,
  .key_len = 8,
  .data_type = TYPE_TARGET,
  .data_len = 8,
};
static const struct zl_nft_set one_map = {
  .name = "one_address",
  .id = 2,
  .key_type = TYPE_ADDRESS << 12 | TYPE_PROTOCOL << 6 | TYPE_PORT,
  .key_len = 12,
  .data_type = TYPE_TARGET,
  .data_len = 8,
};

/* Loads protocol and port after `reg`, looks up, translates. */
static void translate(struct zl_nft *nft, const struct zl_nft_set *map, uint32_t reg)
{
  zl_nft_load_meta(nft, NFT_META_L4PROTO, reg);
  zl_nft_load_payload(nft, NFT_PAYLOAD_TRANSPORT_HEADER, PORT_DESTINATION, 2, reg + 1);
  zl_nft_lookup(nft, map->name, map->id, NFT_REG32_00, NFT_REG32_00);
  zl_nft_dnat(nft, NFT_REG32_00, NFT_REG32_01);
  zl_nft_rule_end(nft);
}

static void add_entry(struct zl_nft *nft, const char *name, uint32_t hooknum)
{
  struct zl_nft_hook hook = { "nat", hooknum, NF_IP_PRI_NAT_DST };
  const uint32_t local = RTN_LOCAL;

  zl_nft_chain(nft, name, &hook);
  zl_nft_rule_begin(nft, name);
  zl_nft_load_daddr_type(nft, NFT_REG_1);
  zl_nft_compare(nft, true, NFT_REG_1, &local, sizeof(local));
  zl_nft_verdict(nft, NFT_JUMP, "publish");
  zl_nft_rule_end(nft);
}

void zl_rules_put_port_maps(struct zl_nft *nft)
{
  zl_nft_set(nft, &any_map);
  zl_nft_set(nft, &one_map);
  zl_nft_chain(nft, "publish", NULL);
  zl_nft_rule_begin(nft, "publish");
  zl_nft_load_payload(nft, NFT_PAYLOAD_NETWORK_HEADER, IP_DESTINATION, 4, NFT_REG32_00);
  translate(nft, &one_map, NFT_REG32_01);
  zl_nft_rule_begin(nft, "publish");
  translate(nft, &any_map, NFT_REG32_00);
  add_entry(nft, "publish_forwarded", NF_INET_PRE_ROUTING);
  add_entry(nft, "publish_local", NF_INET_LOCAL_OUT);
}

/* As the registers lie: each part begins at four bytes. */
struct key {
  uint32_t host_ip;
  uint8_t protocol, pad_protocol[3];
  uint16_t port, pad_port;
};
struct target {
  uint32_t address;
  uint16_t port, pad;
};

static void put_port(struct zl_nft *nft, const struct zl_rules_port *port, bool add)
{
  struct key key = { .host_ip = htonl(port->host_ip),
                     .protocol = port->protocol,
                     .port = htons(port->host_port) };
  struct target target = { .address = htonl(port->address), .port = htons(port->container_port) };
  const struct zl_nft_set *map = port->host_ip == 0 ? &any_map : &one_map;
  const char *from = port->host_ip == 0 ? (const char *)&key.protocol : (const char *)&key;
  size_t list = zl_nft_elements_begin(nft, map->name, 0, add);

  zl_nft_element(nft, from, map->key_len, &target, add ? sizeof(target) : 0);
  zl_nft_elements_end(nft, list);
}

static int commit_ports(const struct zl_rules *rules, const struct zl_rules_port *ports,
                        size_t count, bool add, struct zl_error *err)
{
  zl_autonft nft = { .nl.fd = -1 };
  int r = zl_nft_open(&nft, rules->table, err);

  if (r < 0)
    return r;
  zl_nft_begin(&nft);
  for (size_t i = 0; i < count; i++)
    put_port(&nft, &ports[i], add);
  return zl_nft_commit(&nft, err);
}

static int explain(const struct zl_rules *rules, const struct zl_error *own, struct zl_error *err)
{
  if (err == NULL)
    return -(int)own->code;
  *err = *own;
  return zl_wrap(err, "published ports in nftables table '%s'", rules->table);
}

int zl_rules_remove_ports(const struct zl_rules *rules, const struct zl_rules_port *ports,
                          size_t count, struct zl_error *err)
{
  /* One that is not there spoils its whole batch, so each has its own. */
  for (size_t i = 0; i < count; i++) {
    struct zl_error own = { 0 };

    if (commit_ports(rules, &ports[i], 1, false, &own) < 0 && own.os_error != ENOENT)
      return explain(rules, &own, err);
  }
  return 0;
}

static int replace_ports(const struct zl_rules *rules, const struct zl_rules_port *ports,
                         size_t count, struct zl_error *err)
{
  int r = zl_rules_remove_ports(rules, ports, count, err);

  return r < 0 ? r : commit_ports(rules, ports, count, true, err);
}

int zl_rules_add_ports(const struct zl_rules *rules, const struct zl_rules_port *ports,
                       size_t count, struct zl_error *err)
{
  for (size_t done = 0; done < count; done += CHUNK) {
    size_t n = count - done < CHUNK ? count - done : CHUNK;
    struct zl_error own = { 0 };
    int r = commit_ports(rules, ports + done, n, true, &own);

    /* An entry with another target is left over from a container that is no more. */
    if (r < 0 && (own.os_error == EBUSY || own.os_error == EEXIST))
      r = replace_ports(rules, ports + done, n, &own);
    if (r < 0) {
      if (own.os_error == ENOENT)
        own.code = ZL_E_NOT_FOUND;
      return explain(rules, &own, err);
    }
  }
  return 0;
}

int zl_rules_clear_ports(const struct zl_rules *rules, struct zl_error *err)
{
  zl_autonft nft = { .nl.fd = -1 };
  struct zl_error own = { 0 };
  int r = zl_nft_open(&nft, rules->table, err);

  if (r < 0)
    return r;
  zl_nft_begin(&nft);
  zl_nft_flush_set(&nft, any_map.name);
  zl_nft_flush_set(&nft, one_map.name);
  if (zl_nft_commit(&nft, &own) == 0)
    return 0;
  if (own.os_error == ENOENT)
    own.code = ZL_E_NOT_FOUND;
  return explain(rules, &own, err);
}
