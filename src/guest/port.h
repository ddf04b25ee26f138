/* SPDX-License-Identifier: Apache-2.0
 *
 * The virtio-serial ports of a machine.
 */
#ifndef ZL_GUEST_PORT_H
#define ZL_GUEST_PORT_H

#include <zlayer/error.h>

/* Opens the port of this name, non-blocking; waits a bounded time until there is one. */
int port_find(const char *name, int *ret_fd, struct zl_error *err);

#endif
