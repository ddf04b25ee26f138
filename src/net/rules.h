/* SPDX-License-Identifier: Apache-2.0
 *
 * The firewall rules of one root, as two nftables tables of the same name.
 *
 * Family ip: masquerade for what leaves the slice; published ports by two NAT maps (one for ports
 * on every local address, one for those on a single address); nothing from outside reaches a
 * container except by a published port; nothing reaches the host's loopback from a container,
 * although routing to it is on for the sake of published ports (CVE-2020-8558).
 * Family bridge: a container's port lets through ARP and IPv4 from its own address only, so that it
 * cannot claim another's, nor play router (CVE-2020-13401) or DHCP server. The bridge itself holds
 * the port to its MAC (net/linux/link.h), whose last four bytes are the address; so no rule is
 * needed for a single container.
 */
#ifndef ZL_NET_RULES_H
#define ZL_NET_RULES_H

#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "net/slice.h"

struct zl_rules {
  const char *table;
  const char *bridge;
  const char *link_prefix;
  struct zl_slice slice;
};

struct zl_rules_port {
  uint32_t host_ip; /* 0: every local address */
  uint16_t host_port;
  uint8_t protocol;
  uint32_t address;
  uint16_t container_port;
};

/* 1: both tables are there, 0: not, negative: error. */
int zl_rules_exist(const struct zl_rules *rules, struct zl_error *err);
/* Makes both tables anew in one step, without ports. */
int zl_rules_install(const struct zl_rules *rules, struct zl_error *err);
/* Idempotent. */
int zl_rules_remove(const struct zl_rules *rules, struct zl_error *err);

/* Idempotent; an entry of the same host port is replaced. ZL_E_NOT_FOUND: there are no tables. */
int zl_rules_add_ports(const struct zl_rules *rules, const struct zl_rules_port *ports,
                       size_t count, struct zl_error *err);
/* Idempotent. */
int zl_rules_remove_ports(const struct zl_rules *rules, const struct zl_rules_port *ports,
                          size_t count, struct zl_error *err);
/* Removes every port. ZL_E_NOT_FOUND: there are no tables. */
int zl_rules_clear_ports(const struct zl_rules *rules, struct zl_error *err);

#endif
