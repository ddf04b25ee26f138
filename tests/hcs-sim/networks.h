/* SPDX-License-Identifier: Apache-2.0
 *
 * What networks.c and endpoints.c have in common.
 */
#ifndef HCS_SIM_NETWORKS_H
#define HCS_SIM_NETWORKS_H

#include "machine.h"

#define HCN_NO_NETWORK     UINT32_C(0x803b0001)
#define HCN_NO_ENDPOINT    UINT32_C(0x803b0002)
#define HCN_NO_ADAPTER     UINT32_C(0x803b0006)
#define HCN_BAD_NETWORK    UINT32_C(0x803b000a)
#define HCN_NETWORK_EXISTS UINT32_C(0x803b0010)
#define HCN_PORT_EXISTS    UINT32_C(0x803b0013)
#define HCN_ATTACHED       UINT32_C(0x803b0014)
#define HCN_UNSUPPORTED    UINT32_C(0x803b0015)
#define HCN_JSON           UINT32_C(0x803b001b)
#define HCN_BAD_IP         UINT32_C(0x803b001e)
#define HCN_REFERENCES     UINT32_C(0x803b002c)
#define HCN_ATTACH_FAILED  UINT32_C(0x803b002e)
#define HCN_RESERVED       UINT32_C(0x803b002f)

struct subnet { /* IPv4, in the order of the host */
  uint32_t base, mask, gateway;
  unsigned length;
};

/* The call's id, or a new one. malloc. */
char *sim_hcn_id(struct call *call);
uint32_t sim_hcn_parse(struct call *call, const char *key, const char *type, json_t **ret);
void sim_hcn_give(struct call *call, enum kind kind, const char *id); /* a handle */
json_t *sim_hcn_of(struct call *call, const json_t *all); /* the handle's object, or NULL */
uint32_t sim_hcn_enumerate(struct call *call, const json_t *all);
bool sim_subnet_parse(const json_t *subnet, struct subnet *ret);
void sim_namespace_leave(json_t *endpoint);

#endif
