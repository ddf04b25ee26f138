/* SPDX-License-Identifier: Apache-2.0 */
#include "net/rules.h"

#include <arpa/inet.h>
#include <linux/if.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_bridge.h>
#include <linux/netfilter_ipv4.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "base/ip4.h"
#include "net/nft.h"
#include "net/rules_ports.h"

enum {
  IP_SOURCE = 12,
  IP_DESTINATION = 16,
  ARP_SENDER_IP = 14,
  ETHER_SOURCE_TAIL = 8, /* the last four bytes of the source MAC */
  ETHER_TYPE = 12,
  UDP_SOURCE = 0,
  DHCP_SERVER = 67,
  SET_SAME_BYTES = 3, /* set ids within a batch; 1 and 2 are the port maps */
  /* nf_conntrack.h has them for the kernel only */
  CT_ESTABLISHED = 1 << 1,
  CT_RELATED = 1 << 2,
  NFT_TYPE_INTEGER = 4
};

static void match_link(struct zl_nft *nft, uint32_t key, bool equal, const char *name)
{
  char padded[IFNAMSIZ] = "";

  memcpy(padded, name, strnlen(name, sizeof(padded) - 1));
  zl_nft_load_meta(nft, key, NFT_REG_1);
  zl_nft_compare(nft, equal, NFT_REG_1, padded, sizeof(padded));
}

static void match_network(struct zl_nft *nft, uint32_t offset, bool equal, uint32_t network,
                          unsigned prefix)
{
  uint32_t value = htonl(network);

  zl_nft_load_payload(nft, NFT_PAYLOAD_NETWORK_HEADER, offset, sizeof(value), NFT_REG_1);
  zl_nft_and(nft, NFT_REG_1, htonl(zl_ip4_mask(prefix)));
  zl_nft_compare(nft, equal, NFT_REG_1, &value, sizeof(value));
}

static void match_loopback(struct zl_nft *nft, uint32_t offset)
{
  match_network(nft, offset, true, INADDR_LOOPBACK & zl_ip4_mask(8), 8);
}

static void match_ct(struct zl_nft *nft, uint32_t key, uint32_t bits)
{
  const uint32_t zero = 0;

  zl_nft_load_ct(nft, key, NFT_REG_1);
  zl_nft_and(nft, NFT_REG_1, bits);
  zl_nft_compare(nft, false, NFT_REG_1, &zero, sizeof(zero));
}

static void finish(struct zl_nft *nft, int verdict)
{
  zl_nft_verdict(nft, verdict, NULL);
  zl_nft_rule_end(nft);
}

/* Before address translation, so an answer to a translated loopback client, still addressed to the
 * gateway here, passes. */
static void add_guard(struct zl_nft *nft, const struct zl_rules *rules)
{
  static const struct zl_nft_hook hook = { "filter", NF_INET_PRE_ROUTING, NF_IP_PRI_RAW };

  zl_nft_chain(nft, "guard", &hook);
  zl_nft_rule_begin(nft, "guard");
  match_link(nft, NFT_META_IIFNAME, true, rules->bridge);
  match_loopback(nft, IP_DESTINATION);
  finish(nft, NF_DROP);
  zl_nft_rule_begin(nft, "guard");
  match_link(nft, NFT_META_IIFNAME, true, rules->bridge);
  match_network(nft, IP_SOURCE, false, rules->slice.network, rules->slice.prefix);
  finish(nft, NF_DROP);
}

static void add_forward(struct zl_nft *nft, const struct zl_rules *rules)
{
  static const struct zl_nft_hook hook = { "filter", NF_INET_FORWARD, NF_IP_PRI_FILTER };

  zl_nft_chain(nft, "forward", &hook);
  zl_nft_rule_begin(nft, "forward");
  match_link(nft, NFT_META_IIFNAME, true, rules->bridge);
  finish(nft, NF_ACCEPT);
  zl_nft_rule_begin(nft, "forward");
  match_link(nft, NFT_META_OIFNAME, true, rules->bridge);
  match_ct(nft, NFT_CT_STATE, CT_ESTABLISHED | CT_RELATED);
  finish(nft, NF_ACCEPT);
  zl_nft_rule_begin(nft, "forward");
  match_link(nft, NFT_META_OIFNAME, true, rules->bridge);
  match_ct(nft, NFT_CT_STATUS, IPS_DST_NAT);
  finish(nft, NF_ACCEPT);
  zl_nft_rule_begin(nft, "forward");
  match_link(nft, NFT_META_OIFNAME, true, rules->bridge);
  finish(nft, NF_DROP);
}

/* Besides what leaves the slice: a client on the host's loopback, and a container that reaches
 * another (or itself) by a published port, must get its answers through the host. */
static void add_masquerade(struct zl_nft *nft, const struct zl_rules *rules)
{
  static const struct zl_nft_hook hook = { "nat", NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC };
  const struct zl_slice *slice = &rules->slice;

  zl_nft_chain(nft, "masquerade", &hook);
  zl_nft_rule_begin(nft, "masquerade");
  match_network(nft, IP_SOURCE, true, slice->network, slice->prefix);
  match_network(nft, IP_DESTINATION, false, slice->network, slice->prefix);
  match_link(nft, NFT_META_OIFNAME, false, rules->bridge);
  zl_nft_masquerade(nft);
  zl_nft_rule_end(nft);
  zl_nft_rule_begin(nft, "masquerade");
  match_link(nft, NFT_META_OIFNAME, true, rules->bridge);
  match_loopback(nft, IP_SOURCE);
  zl_nft_masquerade(nft);
  zl_nft_rule_end(nft);
  zl_nft_rule_begin(nft, "masquerade");
  match_network(nft, IP_SOURCE, true, slice->network, slice->prefix);
  match_network(nft, IP_DESTINATION, true, slice->network, slice->prefix);
  match_ct(nft, NFT_CT_STATUS, IPS_DST_NAT);
  zl_nft_masquerade(nft);
  zl_nft_rule_end(nft);
}

/* The pairs of equal bytes: with this set "MAC ends with the address" is four lookups for any
 * number of containers, where comparing two registers needs kernel 6.13. */
static void add_same_bytes(struct zl_nft *nft)
{
  static const struct zl_nft_set set = {
    .name = "same", .id = SET_SAME_BYTES, .key_type = NFT_TYPE_INTEGER, .key_len = 8
  };
  size_t list;

  zl_nft_set(nft, &set);
  list = zl_nft_elements_begin(nft, set.name, set.id, true);
  for (unsigned i = 0; i < 256; i++) {
    uint8_t pair[8] = { [0] = (uint8_t)i, [4] = (uint8_t)i };

    zl_nft_element(nft, pair, sizeof(pair), NULL, 0);
  }
  zl_nft_elements_end(nft, list);
}

static void accept_own_address(struct zl_nft *nft, uint16_t ether_type, uint32_t address_offset)
{
  uint16_t type = htons(ether_type);

  zl_nft_rule_begin(nft, "port");
  zl_nft_load_payload(nft, NFT_PAYLOAD_LL_HEADER, ETHER_TYPE, sizeof(type), NFT_REG_1);
  zl_nft_compare(nft, true, NFT_REG_1, &type, sizeof(type));
  for (uint32_t i = 0; i < 4; i++) {
    zl_nft_load_payload(nft, NFT_PAYLOAD_LL_HEADER, ETHER_SOURCE_TAIL + i, 1, NFT_REG32_00);
    zl_nft_load_payload(nft, NFT_PAYLOAD_NETWORK_HEADER, address_offset + i, 1, NFT_REG32_01);
    zl_nft_lookup(nft, "same", SET_SAME_BYTES, NFT_REG32_00, 0);
  }
  finish(nft, NF_ACCEPT);
}

static void add_bridge_table(struct zl_nft *nft, const struct zl_rules *rules)
{
  static const struct zl_nft_hook hook = { "filter", NF_BR_PRE_ROUTING, NF_BR_PRI_FILTER_BRIDGED };
  const uint8_t udp = IPPROTO_UDP;
  const uint16_t server = htons(DHCP_SERVER);

  zl_nft_family(nft, NFPROTO_BRIDGE);
  zl_nft_fresh_table(nft);
  add_same_bytes(nft);
  zl_nft_chain(nft, "port", &hook);
  zl_nft_rule_begin(nft, "port");
  zl_nft_load_meta(nft, NFT_META_IIFNAME, NFT_REG_1);
  zl_nft_compare(nft, false, NFT_REG_1, rules->link_prefix, strlen(rules->link_prefix));
  finish(nft, NF_ACCEPT);
  zl_nft_rule_begin(nft, "port");
  zl_nft_load_meta(nft, NFT_META_L4PROTO, NFT_REG_1);
  zl_nft_compare(nft, true, NFT_REG_1, &udp, sizeof(udp));
  zl_nft_load_payload(nft, NFT_PAYLOAD_TRANSPORT_HEADER, UDP_SOURCE, sizeof(server), NFT_REG_1);
  zl_nft_compare(nft, true, NFT_REG_1, &server, sizeof(server));
  finish(nft, NF_DROP);
  accept_own_address(nft, ETH_P_IP, IP_SOURCE);
  accept_own_address(nft, ETH_P_ARP, ARP_SENDER_IP);
  zl_nft_rule_begin(nft, "port");
  finish(nft, NF_DROP);
}

static const uint8_t families[] = { NFPROTO_IPV4, NFPROTO_BRIDGE };

int zl_rules_exist(const struct zl_rules *rules, struct zl_error *err)
{
  zl_autonft nft = { .nl.fd = -1 };
  int r = zl_nft_open(&nft, rules->table, err);

  return r < 0 ? r : zl_nft_has_table(&nft, families, ZL_COUNT(families), err);
}

int zl_rules_install(const struct zl_rules *rules, struct zl_error *err)
{
  zl_autonft nft = { .nl.fd = -1 };
  int r = zl_nft_open(&nft, rules->table, err);

  if (r < 0)
    return r;
  zl_nft_begin(&nft);
  zl_nft_fresh_table(&nft);
  zl_rules_put_port_maps(&nft);
  add_guard(&nft, rules);
  add_forward(&nft, rules);
  add_masquerade(&nft, rules);
  add_bridge_table(&nft, rules);
  r = zl_nft_commit(&nft, err);
  return r < 0 ? zl_wrap(err, "nftables table '%s'", rules->table) : 0;
}

/* Each family alone: one may be gone without the other. */
int zl_rules_remove(const struct zl_rules *rules, struct zl_error *err)
{
  zl_autonft nft = { .nl.fd = -1 };
  int r = zl_nft_open(&nft, rules->table, err);

  for (size_t i = 0; r == 0 && i < ZL_COUNT(families); i++) {
    struct zl_error own = { 0 };

    zl_nft_begin(&nft);
    zl_nft_family(&nft, families[i]);
    zl_nft_delete_table(&nft);
    if (zl_nft_commit(&nft, &own) < 0 && own.os_error != ENOENT) {
      if (err != NULL)
        *err = own;
      return err != NULL ? zl_wrap(err, "nftables table '%s'", rules->table) : -(int)own.code;
    }
  }
  return r;
}
