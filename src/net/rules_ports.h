/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the rules: the maps of published ports and the chains that use them.
 */
#ifndef ZL_NET_RULES_PORTS_H
#define ZL_NET_RULES_PORTS_H

#include "net/nft.h"

/* Puts maps and chains into a batch that makes the ip table anew. */
void zl_rules_put_port_maps(struct zl_nft *nft);

#endif
