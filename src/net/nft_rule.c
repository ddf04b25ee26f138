/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "net/nft.h"

void zl_nft_rule_begin(struct zl_nft *nft, const char *chain)
{
  uint16_t type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE);
  struct nfgenmsg *header = zl_nl_request_quiet(&nft->nl, type, NLM_F_CREATE | NLM_F_APPEND,
                                                sizeof(*header), "adding a rule");

  header->nfgen_family = nft->family;
  zl_nl_put_text(&nft->nl, NFTA_RULE_TABLE, nft->table);
  zl_nl_put_text(&nft->nl, NFTA_RULE_CHAIN, chain);
  nft->exprs = zl_nl_nest(&nft->nl, NFTA_RULE_EXPRESSIONS);
}

void zl_nft_rule_end(struct zl_nft *nft)
{
  zl_nl_nest_end(&nft->nl, nft->exprs);
}

struct expr {
  size_t element, data;
};

static struct expr begin(struct zl_nft *nft, const char *name)
{
  struct expr expr = { .element = zl_nl_nest(&nft->nl, NFTA_LIST_ELEM) };

  zl_nl_put_text(&nft->nl, NFTA_EXPR_NAME, name);
  expr.data = zl_nl_nest(&nft->nl, NFTA_EXPR_DATA);
  return expr;
}

static void end(struct zl_nft *nft, struct expr expr)
{
  zl_nl_nest_end(&nft->nl, expr.data);
  zl_nl_nest_end(&nft->nl, expr.element);
}

static void put_data(struct zl_nft *nft, uint16_t type, const void *data, size_t len)
{
  size_t nest = zl_nl_nest(&nft->nl, type);

  zl_nl_put(&nft->nl, NFTA_DATA_VALUE, data, len);
  zl_nl_nest_end(&nft->nl, nest);
}

void zl_nft_load_meta(struct zl_nft *nft, uint32_t key, uint32_t reg)
{
  struct expr expr = begin(nft, "meta");

  zl_nl_put_be32(&nft->nl, NFTA_META_KEY, key);
  zl_nl_put_be32(&nft->nl, NFTA_META_DREG, reg);
  end(nft, expr);
}

void zl_nft_load_ct(struct zl_nft *nft, uint32_t key, uint32_t reg)
{
  struct expr expr = begin(nft, "ct");

  zl_nl_put_be32(&nft->nl, NFTA_CT_KEY, key);
  zl_nl_put_be32(&nft->nl, NFTA_CT_DREG, reg);
  end(nft, expr);
}

void zl_nft_load_payload(struct zl_nft *nft, uint32_t base, uint32_t offset, uint32_t len,
                         uint32_t reg)
{
  struct expr expr = begin(nft, "payload");

  zl_nl_put_be32(&nft->nl, NFTA_PAYLOAD_DREG, reg);
  zl_nl_put_be32(&nft->nl, NFTA_PAYLOAD_BASE, base);
  zl_nl_put_be32(&nft->nl, NFTA_PAYLOAD_OFFSET, offset);
  zl_nl_put_be32(&nft->nl, NFTA_PAYLOAD_LEN, len);
  end(nft, expr);
}

void zl_nft_load_daddr_type(struct zl_nft *nft, uint32_t reg)
{
  struct expr expr = begin(nft, "fib");

  zl_nl_put_be32(&nft->nl, NFTA_FIB_DREG, reg);
  zl_nl_put_be32(&nft->nl, NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
  zl_nl_put_be32(&nft->nl, NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR);
  end(nft, expr);
}

void zl_nft_and(struct zl_nft *nft, uint32_t reg, uint32_t mask)
{
  const uint32_t zero = 0;
  struct expr expr = begin(nft, "bitwise");

  zl_nl_put_be32(&nft->nl, NFTA_BITWISE_SREG, reg);
  zl_nl_put_be32(&nft->nl, NFTA_BITWISE_DREG, reg);
  zl_nl_put_be32(&nft->nl, NFTA_BITWISE_LEN, sizeof(mask));
  put_data(nft, NFTA_BITWISE_MASK, &mask, sizeof(mask));
  put_data(nft, NFTA_BITWISE_XOR, &zero, sizeof(zero));
  end(nft, expr);
}

void zl_nft_compare(struct zl_nft *nft, bool equal, uint32_t reg, const void *data, size_t len)
{
  struct expr expr = begin(nft, "cmp");

  zl_nl_put_be32(&nft->nl, NFTA_CMP_SREG, reg);
  zl_nl_put_be32(&nft->nl, NFTA_CMP_OP, equal ? NFT_CMP_EQ : NFT_CMP_NEQ);
  put_data(nft, NFTA_CMP_DATA, data, len);
  end(nft, expr);
}

void zl_nft_lookup(struct zl_nft *nft, const char *set, uint32_t id, uint32_t reg, uint32_t result)
{
  struct expr expr = begin(nft, "lookup");

  zl_nl_put_text(&nft->nl, NFTA_LOOKUP_SET, set);
  zl_nl_put_be32(&nft->nl, NFTA_LOOKUP_SET_ID, id);
  zl_nl_put_be32(&nft->nl, NFTA_LOOKUP_SREG, reg);
  if (result != 0)
    zl_nl_put_be32(&nft->nl, NFTA_LOOKUP_DREG, result);
  end(nft, expr);
}

void zl_nft_dnat(struct zl_nft *nft, uint32_t address_reg, uint32_t port_reg)
{
  struct expr expr = begin(nft, "nat");

  zl_nl_put_be32(&nft->nl, NFTA_NAT_TYPE, NFT_NAT_DNAT);
  zl_nl_put_be32(&nft->nl, NFTA_NAT_FAMILY, NFPROTO_IPV4);
  zl_nl_put_be32(&nft->nl, NFTA_NAT_REG_ADDR_MIN, address_reg);
  zl_nl_put_be32(&nft->nl, NFTA_NAT_REG_PROTO_MIN, port_reg);
  end(nft, expr);
}

void zl_nft_masquerade(struct zl_nft *nft)
{
  end(nft, begin(nft, "masq"));
}

void zl_nft_verdict(struct zl_nft *nft, int verdict, const char *chain)
{
  struct expr expr = begin(nft, "immediate");
  size_t data, nest;

  zl_nl_put_be32(&nft->nl, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
  data = zl_nl_nest(&nft->nl, NFTA_IMMEDIATE_DATA);
  nest = zl_nl_nest(&nft->nl, NFTA_DATA_VERDICT);
  zl_nl_put_be32(&nft->nl, NFTA_VERDICT_CODE, (uint32_t)verdict);
  if (chain != NULL)
    zl_nl_put_text(&nft->nl, NFTA_VERDICT_CHAIN, chain);
  zl_nl_nest_end(&nft->nl, nest);
  zl_nl_nest_end(&nft->nl, data);
  end(nft, expr);
}
