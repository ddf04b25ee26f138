/* SPDX-License-Identifier: Apache-2.0
 *
 * Links of the host that become a container's own (linux.netDevices).
 */
#ifndef ZL_OCI_LINKS_H
#define ZL_OCI_LINKS_H

#include "engine/config.h"
#include "net/linux/link_move.h"

struct oci_links {
  struct zl_link_move *items;
  size_t n;
};
void oci_links_done(struct oci_links *links);

/* On the host, before anything is made. ZL_E_NOT_FOUND: there is no such link. */
int oci_links_find(const struct zl_engine_config *config, struct oci_links *ret,
                   struct zl_error *err);
/* On the host: moves them into the network namespace of the process, or the one that it joins. */
int oci_links_give(const struct oci_links *links, const struct zl_engine_config *config, pid_t pid,
                   struct zl_error *err);
/* In the container: they are as they were. */
int oci_links_take(const struct oci_links *links, struct zl_error *err);

#endif
