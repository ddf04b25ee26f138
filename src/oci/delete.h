/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_OCI_DELETE_H
#define ZL_OCI_DELETE_H

#include "oci/container.h"

/* Kills all processes, waits for their end, removes the cgroup. */
int oci_end(struct oci_container *c, struct zl_error *err);

/* Kills what is left of the container, waits for it, removes cgroup and directory. The lock is
 * held. The first error is told, the rest still attempted. */
int oci_destroy(struct oci_container *c, struct zl_error *err);

#endif
