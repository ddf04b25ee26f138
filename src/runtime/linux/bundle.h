/* SPDX-License-Identifier: Apache-2.0
 *
 * The bundle of docs/shim.md from a plan: an OCI runtime configuration with the member `zlayer`.
 * Each part returns a new JSON value, or fails naming the field of the service.
 */
#ifndef ZL_RUNTIME_LINUX_BUNDLE_H
#define ZL_RUNTIME_LINUX_BUNDLE_H

#include <jansson.h>

#include "runtime/runtime.h"

struct zl_bundle {
  const struct zl_container_plan *plan;
  const char *dir;        /* absolute path of the container's directory */
  const char *cgroup;     /* cgroupsPath */
  const char *netns_path; /* ZL_PLAN_NET_PATH: the namespace to join */
};

/* The whole document. */
int zl_bundle_render(const struct zl_bundle *bundle, char **ret, struct zl_error *err);

/* Its parts. */
int zl_bundle_process(const struct zl_bundle *bundle, json_t **ret, struct zl_error *err);
int zl_bundle_mounts(const struct zl_bundle *bundle, json_t **ret, struct zl_error *err);
int zl_bundle_linux(const struct zl_bundle *bundle, json_t **ret, struct zl_error *err);
int zl_bundle_resources(const struct zl_bundle *bundle, json_t **ret, struct zl_error *err);
/* Devices of the node as `linux.devices` and as rules appended to `rules`. */
int zl_bundle_devices(const struct zl_bundle *bundle, json_t *rules, json_t **ret,
                      struct zl_error *err);

/* The default set with the service's additions and removals, as a mask. ZL_E_INVALID: a name that
 * is no capability. */
int zl_bundle_capabilities(const struct zl_service *service, uint64_t *ret, struct zl_error *err);

/* True when security_opt has `name`, with a value that is not "false". */
bool zl_bundle_has_option(const struct zl_service *service, const char *name);

#endif
