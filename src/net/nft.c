/* SPDX-License-Identifier: Apache-2.0 */
#include "net/nft.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>

static uint16_t subsystem(uint16_t message)
{
  return (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | message);
}

static void request(struct zl_nft *nft, uint16_t message, uint16_t flags, const char *what)
{
  struct nfgenmsg *header =
      zl_nl_request_quiet(&nft->nl, subsystem(message), flags, sizeof(*header), what);

  header->nfgen_family = nft->family;
}

int zl_nft_open(struct zl_nft *nft, const char *table, struct zl_error *err)
{
  nft->nl.fd = -1;
  nft->table = table;
  nft->family = NFPROTO_IPV4;
  nft->buffer = NULL;
  return zl_nl_open(&nft->nl, NETLINK_NETFILTER, err);
}

void zl_nft_close(struct zl_nft *nft)
{
  zl_nl_close(&nft->nl);
  zl_freep(&nft->buffer);
}

int zl_nft_has_table(struct zl_nft *nft, const uint8_t *families, size_t count,
                     struct zl_error *err)
{
  struct zl_error own = { 0 };
  int r;

  for (size_t i = 0; i < count; i++) {
    struct nfgenmsg *header = zl_nl_request(&nft->nl, subsystem(NFT_MSG_GETTABLE), 0,
                                            sizeof(*header), "looking for the rules");

    header->nfgen_family = families[i];
    zl_nl_put_text(&nft->nl, NFTA_TABLE_NAME, nft->table);
  }
  r = zl_nl_exchange(&nft->nl, &own);
  if (r == 0)
    return 1;
  if (own.os_error == ENOENT)
    return 0;
  if (err != NULL)
    *err = own;
  return r;
}

/* The marks around a batch belong to nfnetlink, not to nftables. */
static void mark(struct zl_nft *nft, uint16_t type)
{
  struct nfgenmsg *header = zl_nl_request_quiet(&nft->nl, type, 0, sizeof(*header), "a batch");

  header->res_id = htons(NFNL_SUBSYS_NFTABLES);
}

void zl_nft_begin(struct zl_nft *nft)
{
  if (nft->buffer == NULL)
    nft->buffer = malloc(ZL_NL_LARGE);
  if (nft->buffer != NULL)
    zl_nl_use_buffer(&nft->nl, nft->buffer, ZL_NL_LARGE);
  mark(nft, NFNL_MSG_BATCH_BEGIN);
}

int zl_nft_commit(struct zl_nft *nft, struct zl_error *err)
{
  if (nft->buffer == NULL)
    return zl_fail_nomem(err, "a batch of nftables changes");
  /* The answer to one change comes after the verdict on the whole batch. */
  zl_nl_want_answer(&nft->nl);
  mark(nft, NFNL_MSG_BATCH_END);
  return zl_nl_exchange(&nft->nl, err);
}

void zl_nft_family(struct zl_nft *nft, uint8_t family)
{
  nft->family = family;
}

void zl_nft_fresh_table(struct zl_nft *nft)
{
  request(nft, NFT_MSG_NEWTABLE, NLM_F_CREATE, "making the table");
  zl_nl_put_text(&nft->nl, NFTA_TABLE_NAME, nft->table);
  zl_nft_delete_table(nft);
  request(nft, NFT_MSG_NEWTABLE, NLM_F_CREATE, "making the table");
  zl_nl_put_text(&nft->nl, NFTA_TABLE_NAME, nft->table);
}

void zl_nft_delete_table(struct zl_nft *nft)
{
  request(nft, NFT_MSG_DELTABLE, 0, "deleting the table");
  zl_nl_put_text(&nft->nl, NFTA_TABLE_NAME, nft->table);
}

void zl_nft_chain(struct zl_nft *nft, const char *name, const struct zl_nft_hook *hook)
{
  size_t nest;

  request(nft, NFT_MSG_NEWCHAIN, NLM_F_CREATE, "making a chain");
  zl_nl_put_text(&nft->nl, NFTA_CHAIN_TABLE, nft->table);
  zl_nl_put_text(&nft->nl, NFTA_CHAIN_NAME, name);
  if (hook == NULL)
    return;
  zl_nl_put_text(&nft->nl, NFTA_CHAIN_TYPE, hook->type);
  nest = zl_nl_nest(&nft->nl, NFTA_CHAIN_HOOK);
  zl_nl_put_be32(&nft->nl, NFTA_HOOK_HOOKNUM, hook->hook);
  zl_nl_put_be32(&nft->nl, NFTA_HOOK_PRIORITY, (uint32_t)hook->priority);
  zl_nl_nest_end(&nft->nl, nest);
}

void zl_nft_set(struct zl_nft *nft, const struct zl_nft_set *set)
{
  request(nft, NFT_MSG_NEWSET, NLM_F_CREATE, "making a set");
  zl_nl_put_text(&nft->nl, NFTA_SET_TABLE, nft->table);
  zl_nl_put_text(&nft->nl, NFTA_SET_NAME, set->name);
  zl_nl_put_be32(&nft->nl, NFTA_SET_ID, set->id);
  zl_nl_put_be32(&nft->nl, NFTA_SET_KEY_TYPE, set->key_type);
  zl_nl_put_be32(&nft->nl, NFTA_SET_KEY_LEN, set->key_len);
  if (set->data_len == 0)
    return;
  zl_nl_put_be32(&nft->nl, NFTA_SET_FLAGS, NFT_SET_MAP);
  zl_nl_put_be32(&nft->nl, NFTA_SET_DATA_TYPE, set->data_type);
  zl_nl_put_be32(&nft->nl, NFTA_SET_DATA_LEN, set->data_len);
}

static void put_set_reference(struct zl_nft *nft, const char *set, uint32_t id)
{
  zl_nl_put_text(&nft->nl, NFTA_SET_ELEM_LIST_TABLE, nft->table);
  zl_nl_put_text(&nft->nl, NFTA_SET_ELEM_LIST_SET, set);
  if (id != 0)
    zl_nl_put_be32(&nft->nl, NFTA_SET_ELEM_LIST_SET_ID, id);
}

size_t zl_nft_elements_begin(struct zl_nft *nft, const char *set, uint32_t id, bool add)
{
  request(nft, add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM, add ? NLM_F_CREATE : 0,
          add ? "adding elements" : "deleting elements");
  put_set_reference(nft, set, id);
  return zl_nl_nest(&nft->nl, NFTA_SET_ELEM_LIST_ELEMENTS);
}

static void put_value(struct zl_nft *nft, uint16_t type, const void *data, size_t len)
{
  size_t nest = zl_nl_nest(&nft->nl, type);

  zl_nl_put(&nft->nl, NFTA_DATA_VALUE, data, len);
  zl_nl_nest_end(&nft->nl, nest);
}

void zl_nft_element(struct zl_nft *nft, const void *key, size_t key_len, const void *data,
                    size_t data_len)
{
  size_t element = zl_nl_nest(&nft->nl, NFTA_LIST_ELEM);

  put_value(nft, NFTA_SET_ELEM_KEY, key, key_len);
  if (data_len > 0)
    put_value(nft, NFTA_SET_ELEM_DATA, data, data_len);
  zl_nl_nest_end(&nft->nl, element);
}

void zl_nft_elements_end(struct zl_nft *nft, size_t begin)
{
  zl_nl_nest_end(&nft->nl, begin);
}

void zl_nft_flush_set(struct zl_nft *nft, const char *set)
{
  request(nft, NFT_MSG_DELSETELEM, 0, "emptying a set");
  put_set_reference(nft, set, 0);
}
