/* SPDX-License-Identifier: Apache-2.0
 *
 * Operations of the keeper (shim/keeper.h): the container in its machine, up to its gate.
 */
#ifndef ZL_SHIM_VM_CREATE_H
#define ZL_SHIM_VM_CREATE_H

#include "shim/vm/vm.h"

int vm_load(struct shim *shim, struct zl_error *err);
int vm_create(struct shim *shim, struct zl_error *err);

#endif
