/* SPDX-License-Identifier: Apache-2.0
 *
 * A container's cgroup as a unit of systemd (--systemd-cgroup): systemd makes it, with a process of
 * ours that holds it until the container's first process is born there.
 */
#ifndef ZL_OCI_SCOPE_H
#define ZL_OCI_SCOPE_H

#include "engine/child.h"
#include "oci/container.h"
#include "systemd/name.h"

#define OCI_UNIT "unit" /* in state.json: the unit's name; absent without one */

struct oci_scope {
  bool is_used; /* false: the cgroup is made by its files */
  struct zl_unit_name name;
  char path[ZL_MAX_CGROUP_PATH + 1]; /* of the cgroup, as far as it is known */
  struct zl_child holder;
  int release_fd; /* the holder ends when it is closed */
};

#define OCI_SCOPE_INIT                                    \
  {                                                       \
    .holder = { .pid = 0, .pidfd = -1 }, .release_fd = -1 \
  }

/* Whether `config` gets a unit, and which; nothing is made. ZL_E_UNSUPPORTED: no systemd runs here,
 * or cgroupsPath is of the other form than what the caller drives cgroups with. */
int oci_scope_plan(const struct oci *oci, const struct zl_engine_config *config, const char *id,
                   struct oci_scope *ret, struct zl_error *err);

/* Has the unit made and opens c->cgroup, whose root is open. c->state knows the unit, and is saved
 * again when the cgroup lies elsewhere than planned. */
int oci_scope_start(struct oci_scope *scope, struct oci_container *c,
                    const struct zl_resources *res, struct zl_error *err);

/* Ends the holder: the first process is there, or never will be. */
void oci_scope_release(struct oci_scope *scope);

/* Tells systemd new limits; success for a container without a unit. */
int oci_scope_update(const struct oci_container *c, const struct zl_resources *res,
                     struct zl_error *err);

/* Stops the unit; success when there is none. */
int oci_scope_stop(const struct oci_container *c, struct zl_error *err);

#endif
