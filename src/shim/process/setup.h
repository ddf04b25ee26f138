/* SPDX-License-Identifier: Apache-2.0
 *
 * Making everything that a container consists of, and taking it away: operations of the keeper
 * (shim/keeper.h).
 */
#ifndef ZL_SHIM_SETUP_H
#define ZL_SHIM_SETUP_H

#include "shim/process/process.h"

int setup_load(struct shim *shim, struct zl_error *err);
int setup_create(struct shim *shim, struct zl_error *err);
void setup_undo(struct shim *shim);

#endif
