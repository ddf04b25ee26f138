/* SPDX-License-Identifier: Apache-2.0
 *
 * The cgroups of an exec: the container's, or others below it.
 */
#ifndef ZL_OCI_PLACE_H
#define ZL_OCI_PLACE_H

#include "oci/container.h"

struct oci_place {
  const struct zl_cgroup *whole; /* the container's, borrowed; NULL: it has none */
  struct zl_cgroup *parts;       /* joined after it, in the trees of each */
  size_t n_parts;
};

/* `wanted`: "PATH" or "CONTROLLER,...:PATH", NULL-terminated, or NULL. On v2 a container that has
 * handed controllers down takes no processes itself: without `wanted` the place is that of its
 * first process then. */
int oci_place_open(const struct oci_container *c, char *const *wanted, struct oci_place *ret,
                   struct zl_error *err);
/* The v2 directory that the process is to be born in; -1: none. */
int oci_place_fd(const struct oci_place *place);
/* A hook of the engine (struct zl_container_hooks.enter), with the struct oci_place. */
int oci_place_enter(void *place, struct zl_error *err);
/* Accepts one that was not opened. */
void oci_place_done(struct oci_place *place);

#endif
