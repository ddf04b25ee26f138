/* SPDX-License-Identifier: Apache-2.0
 *
 * Device files that are there, as elements of an OCI configuration's `linux.devices`.
 */
#ifndef ZL_ENGINE_DEVICE_NODES_H
#define ZL_ENGINE_DEVICE_NODES_H

#include <jansson.h>
#include <sys/stat.h>

/* A new object; NULL: out of memory. `path` is where the container has it. */
json_t *zl_device_node(const char *path, const struct stat *st);

/* Appends all below /dev, at most ZL_MAX_DEVICES, but for what every container has of its own. */
void zl_device_nodes(json_t *devices);

#endif
