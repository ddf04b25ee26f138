/* SPDX-License-Identifier: Apache-2.0
 *
 * A shim that is started before its container is known: it gets ready while the library still
 * resolves the image and writes the rows, which then costs no time of its own.
 */
#ifndef ZL_SHIM_HANDOVER_H
#define ZL_SHIM_HANDOVER_H

#include <zlayer/error.h>

struct shim;

/* Blocks until the library hands over directory and lock, {"op":"create"} with two descriptors.
 * ZL_E_CANCELLED: it has changed its mind or died, and nothing was made. */
int handover_await(struct shim *shim, int control_fd, struct zl_error *err);
/* Takes the container's lock, unless it was handed over and is held. */
int handover_lock(struct shim *shim, struct zl_error *err);

#endif
