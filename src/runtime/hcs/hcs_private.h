/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by the files of the backend's operations.
 */
#ifndef ZL_RUNTIME_HCS_PRIVATE_H
#define ZL_RUNTIME_HCS_PRIVATE_H

#include "runtime/hcs/hcs.h"
#include "runtime/hcs/instance.h"
#include "runtime/shim/shimclient.h"

struct zl_hcs_backend {
  struct zl_shimclient client;
  const struct zl_hcs_api *api;
  struct zl_os_version host;
};

/* The node as its containers see it. `network` is kept by the caller. */
enum {
  ZL_HCS_NETWORK_NAME = 32 /* "zlayer-1a2b3c4d" */
};
int zl_hcs_node_of(struct zl_backend *backend, char network[ZL_HCS_NETWORK_NAME],
                   struct zl_hcs_node *ret, struct zl_error *err);

/* create.c */
int zl_hcs_isolate(struct zl_backend *backend, const struct zl_container_plan *plan,
                   enum zl_isolation *ret, struct zl_error *err);
int zl_hcs_create(struct zl_backend *backend, const struct zl_container_plan *plan,
                  struct zl_error *err);

/* reap.c */
int zl_hcs_remove(struct zl_backend *backend, const char *id, struct zl_error *err);
int zl_hcs_enumerate(struct zl_backend *backend, zl_id_fn fn, void *payload, struct zl_error *err);
int zl_hcs_sweep(struct zl_backend *backend, struct zl_check *check, struct zl_error *err);

#endif
