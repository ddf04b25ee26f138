/* SPDX-License-Identifier: Apache-2.0
 *
 * The bundle of docs/shim.md from a plan: an OCI runtime configuration with the member `zlayer`.
 * Each part returns a new JSON value, or fails naming the field of the service. The same for a
 * container on this host and for one in a machine, whose bundle is read by the agent there.
 */
#ifndef ZL_RUNTIME_BUNDLE_BUNDLE_H
#define ZL_RUNTIME_BUNDLE_BUNDLE_H

#include <jansson.h>
#include <sys/types.h>

#include "runtime/runtime.h"

/* What differs in a machine, where nothing of this host can be named. */
struct zl_bundle_guest {
  const char *const *layers; /* mount points there, top first */
  const char *const *binds;  /* of each storage entry: what the machine has of it, or "" */
};

struct zl_bundle {
  const struct zl_container_plan *plan;
  const struct zl_bundle_guest *guest; /* NULL: a container on this host */
  const char *dir;                     /* absolute path of the directory that has the name files */
  const char *cgroup;                  /* cgroupsPath */
  const char *netns_path;              /* ZL_PLAN_NET_PATH: the namespace to join */
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

/* Writes the files hosts, resolv.conf and hostname into the container's directory (files.c). */
int zl_bundle_write_files(const struct zl_container_plan *plan, struct zl_error *err);
/* Makes (dir_fd, name), which must be new, with that mode whatever the umask. */
int zl_bundle_write_text(int dir_fd, const char *name, const char *text, mode_t mode,
                         struct zl_error *err);

#endif
