/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_SHIM_NETNS_H
#define ZL_SHIM_NETNS_H

#include "shim/process/process.h"

/* Makes a network namespace for the container to join (netns_fd), before the container is known;
 * this process stays where it was. It is half of what a container's namespaces cost. */
int netns_prepare(struct process_shim *shim, struct zl_error *err);

#endif
