/* SPDX-License-Identifier: Apache-2.0
 *
 * Device nodes that nobody has on the host, for a container that may not make them itself.
 */
#ifndef ZL_ENGINE_DEVICE_MAKE_H
#define ZL_ENGINE_DEVICE_MAKE_H

#include "engine/config.h"

/* Makes one node as `device` says, its ids being the host's, on a tmpfs that is seen nowhere, and
 * returns it as a detached mount. For the runtime, which must be root on the host and have one
 * thread. */
int zl_device_make(const struct zl_device *device, int *ret_fd, struct zl_error *err);

#endif
