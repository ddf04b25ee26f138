/* SPDX-License-Identifier: Apache-2.0
 *
 * The bridge of one root. Its alias, set as the last step, says for which slice it is complete.
 */
#ifndef ZL_NET_BRIDGE_H
#define ZL_NET_BRIDGE_H

#include <stdbool.h>
#include <zlayer/error.h>

#include "net/slice.h"

enum {
  ZL_BRIDGE_ALIAS = 64
};

struct zl_bridge {
  int index; /* 0: there is none */
  bool up;
  char alias[ZL_BRIDGE_ALIAS]; /* "" when it was never completed */
};

/* What there is; absence is no error. */
int zl_bridge_find(const char *name, struct zl_bridge *ret, struct zl_error *err);
/* The alias of a bridge that is complete for this slice. */
const char *zl_bridge_alias(const struct zl_slice *slice, char text[ZL_BRIDGE_ALIAS]);
/* Makes it, without address and down. ZL_E_CONFLICT: there is such a link. */
int zl_bridge_create(const char *name, const struct zl_slice *slice, struct zl_error *err);
/* Gateway address, IPv6 off, routing from loopback, up, alias. Idempotent. */
int zl_bridge_configure(const char *name, const struct zl_slice *slice, struct zl_error *err);
/* 1: it has ports, 0: none, negative: error. */
int zl_bridge_has_ports(const struct zl_bridge *bridge, struct zl_error *err);

/* net.ipv4.ip_forward of the calling thread's namespace. Idempotent. */
int zl_forwarding_enable(struct zl_error *err);

/* ZL_E_CONFLICT when an address or route of another link than `own_index` shares addresses with
 * the slice; the message names it. */
int zl_overlap_check(const struct zl_slice *slice, int own_index, struct zl_error *err);

#endif
