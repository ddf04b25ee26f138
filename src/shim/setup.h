/* SPDX-License-Identifier: Apache-2.0
 *
 * Making everything that a container consists of, and taking it away.
 */
#ifndef ZL_SHIM_SETUP_H
#define ZL_SHIM_SETUP_H

#include <zlayer/error.h>

#include "shim/shim.h"

/* Takes the lock, reads the bundle, builds the container, opens its log and streams. After an error
 * everything made is gone again (setup_undo has run). */
int setup_create(struct shim *shim, struct zl_error *err);

/* Takes away, in reverse order, what was made outside the container's own namespaces. Every step is
 * attempted; failures are logged. Idempotent. */
void setup_undo(struct shim *shim);

/* The signal that asks the workload to end. */
int setup_stop_signal(const struct shim *shim);

#endif
