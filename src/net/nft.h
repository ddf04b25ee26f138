/* SPDX-License-Identifier: Apache-2.0
 *
 * nftables over netlink: one batch of changes, which the kernel takes as a whole or not at all.
 * The functions follow the kernel's own vocabulary (linux/netfilter/nf_tables.h): a rule is a list
 * of small expressions that load registers, compare them and decide. Numbers of registers: 1 is the
 * first 16 bytes, NFT_REG32_00 + n the n-th four bytes of the same space.
 *
 * Building cannot fail: what does not fit is noticed by the commit (ZL_E_LIMIT).
 */
#ifndef ZL_NET_NFT_H
#define ZL_NET_NFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/cleanup.h"
#include "net/linux/netlink.h"

struct zl_nft {
  struct zl_nl nl;
  char *buffer; /* ZL_NL_LARGE bytes */
  const char *table;
  uint8_t family; /* NFPROTO_… */
  size_t exprs;   /* of the rule being written */
};

/* A socket and an empty batch. Borrows `table`. */
int zl_nft_open(struct zl_nft *nft, const char *table, struct zl_error *err);
void zl_nft_close(struct zl_nft *nft);
#define zl_autonft ZL_CLEANUP(zl_nft_close) struct zl_nft

/* 1: the table exists in every one of the families, 0: not, negative: error. */
int zl_nft_has_table(struct zl_nft *nft, const uint8_t *families, size_t count,
                     struct zl_error *err);

/* begin, changes, commit. With an error nothing has changed. */
void zl_nft_begin(struct zl_nft *nft);
int zl_nft_commit(struct zl_nft *nft, struct zl_error *err);

/* Chooses the family of what follows. */
void zl_nft_family(struct zl_nft *nft, uint8_t family);
/* The table, empty whatever there was; or gone. */
void zl_nft_fresh_table(struct zl_nft *nft);
void zl_nft_delete_table(struct zl_nft *nft);

struct zl_nft_hook {
  const char *type; /* "nat", "filter" */
  uint32_t hook;    /* NF_INET_… */
  int32_t priority;
};
/* `hook` NULL: a chain that is only jumped to. The policy is accept. */
void zl_nft_chain(struct zl_nft *nft, const char *name, const struct zl_nft_hook *hook);

struct zl_nft_set {
  const char *name;
  uint32_t id;                  /* within the batch, not 0 */
  uint32_t key_type, key_len;   /* nft's type number (for its listing), bytes */
  uint32_t data_type, data_len; /* of a map; 0: a set */
};
void zl_nft_set(struct zl_nft *nft, const struct zl_nft_set *set);
/* A list of elements to add to or delete from a set that exists, or of this batch by its id. */
size_t zl_nft_elements_begin(struct zl_nft *nft, const char *set, uint32_t id, bool add);
void zl_nft_element(struct zl_nft *nft, const void *key, size_t key_len, const void *data,
                    size_t data_len);
void zl_nft_elements_end(struct zl_nft *nft, size_t begin);
/* Deletes all elements. */
void zl_nft_flush_set(struct zl_nft *nft, const char *set);

void zl_nft_rule_begin(struct zl_nft *nft, const char *chain);
void zl_nft_rule_end(struct zl_nft *nft);
void zl_nft_load_meta(struct zl_nft *nft, uint32_t key, uint32_t reg);
void zl_nft_load_ct(struct zl_nft *nft, uint32_t key, uint32_t reg);
void zl_nft_load_payload(struct zl_nft *nft, uint32_t base, uint32_t offset, uint32_t len,
                         uint32_t reg);
/* The kind of the destination address (RTN_LOCAL, …). */
void zl_nft_load_daddr_type(struct zl_nft *nft, uint32_t reg);
/* Four bytes in place; `mask` as it lies in memory. */
void zl_nft_and(struct zl_nft *nft, uint32_t reg, uint32_t mask);
void zl_nft_compare(struct zl_nft *nft, bool equal, uint32_t reg, const void *data, size_t len);
/* Goes on when the key at `reg` is in the set; a map's value is put at `result` (0: a set). */
void zl_nft_lookup(struct zl_nft *nft, const char *set, uint32_t id, uint32_t reg, uint32_t result);
/* IPv4 destination NAT to the address and port at the registers. */
void zl_nft_dnat(struct zl_nft *nft, uint32_t address_reg, uint32_t port_reg);
void zl_nft_masquerade(struct zl_nft *nft);
/* NF_ACCEPT, NF_DROP, NFT_JUMP with a chain, … */
void zl_nft_verdict(struct zl_nft *nft, int verdict, const char *chain);

#endif
