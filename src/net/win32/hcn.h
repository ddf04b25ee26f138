/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls of computenetwork.dll: the node's network, and of each container an endpoint and a
 * namespace. Their GUIDs are made of names (zl_guid_of), so that what a crash left is found and
 * removed without a list. Only objects with our own GUIDs and names are ever changed.
 */
#ifndef ZL_NET_WIN32_HCN_H
#define ZL_NET_WIN32_HCN_H

#include "net/win32/hcn_api.h"
#include "net/win32/hcn_doc.h"

/* Fails for an HRESULT like zl_fail: ZL_E_NOT_FOUND for what the service does not know,
 * ZL_E_NO_ADDRESS for an address that is in use. */
typedef int (*zl_hcn_fail_fn)(struct zl_error *err, zl_hr hr, const char *what);

struct zl_hcn {
  const struct zl_hcn_api *api;
  zl_hcn_fail_fn fail;
};

/* One container's place in the network. */
struct zl_hcn_ids {
  struct zl_guid network, endpoint, space;
};
/* `name` is the network's, `container` a display id. */
void zl_hcn_ids_of(const struct zl_hcn_network_spec *network, const char *container,
                   struct zl_hcn_ids *ret);

/* Makes it if it is not there. */
int zl_hcn_network_ensure(const struct zl_hcn *hcn, const struct zl_hcn_network_spec *network,
                          const struct zl_guid *id, struct zl_error *err);
/* ZL_E_CONFLICT: it has endpoints. Success when there is none. */
int zl_hcn_network_remove(const struct zl_hcn *hcn, const struct zl_guid *id, struct zl_error *err);

/* One of this id that an earlier container left is removed before; so is one of ours that holds the
 * address still (`prefix` is what all our endpoints' names begin with). */
int zl_hcn_endpoint_create(const struct zl_hcn *hcn, const struct zl_hcn_ids *ids,
                           const struct zl_hcn_endpoint_spec *endpoint, const char *prefix,
                           struct zl_error *err);
/* Detaches it, too. Success when there is none. */
int zl_hcn_endpoint_remove(const struct zl_hcn *hcn, const struct zl_guid *id,
                           struct zl_error *err);
/* All that is known of it; the caller releases it. ZL_E_NOT_FOUND. */
int zl_hcn_endpoint_query(const struct zl_hcn *hcn, const struct zl_guid *id, json_t **ret,
                          struct zl_error *err);

/* One that an earlier container left is removed before. */
int zl_hcn_namespace_create(const struct zl_hcn *hcn, const struct zl_guid *id,
                            struct zl_error *err);
int zl_hcn_namespace_remove(const struct zl_hcn *hcn, const struct zl_guid *id,
                            struct zl_error *err);
int zl_hcn_namespace_query(const struct zl_hcn *hcn, const struct zl_guid *id, json_t **ret,
                           struct zl_error *err);
/* Attaches the endpoint to the namespace; detaching is success when one of them is gone. */
int zl_hcn_attach(const struct zl_hcn *hcn, const struct zl_hcn_ids *ids, struct zl_error *err);
int zl_hcn_detach(const struct zl_hcn *hcn, const struct zl_hcn_ids *ids, struct zl_error *err);

#endif
