/* SPDX-License-Identifier: Apache-2.0
 *
 * The container's /dev: nodes of our own making, never the image's.
 */
#ifndef ZL_ENGINE_DEVICES_H
#define ZL_ENGINE_DEVICES_H

#include <stdbool.h>
#include <zlayer/error.h>

#include "engine/config.h"

/* In a user namespace nodes cannot be made, so the host's are bind mounted, and what it has not is
 * made for the container. To be called by the runtime, in the host's mount namespace: a detached
 * mount of each of the default devices and of config->devices, in the order of zl_devices_create.
 * *ret is released with zl_device_binds_done.
 */
struct zl_device_binds {
  int *fds; /* malloc'd */
  size_t count;
};
int zl_device_binds_open(const struct zl_engine_config *config, struct zl_device_binds *ret,
                         struct zl_error *err);
void zl_device_binds_done(struct zl_device_binds *binds);

/* Makes null, zero, full, random, urandom, tty and config->devices below root_fd, and in /dev the
 * links fd, stdin, stdout, stderr and ptmx. With binds->count > 0 binds instead of making nodes.
 * What exists in /dev is replaced. */
int zl_devices_create(int root_fd, const struct zl_engine_config *config,
                      const struct zl_device_binds *binds, struct zl_error *err);

#endif
