/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_SHIM_VM_STATS_H
#define ZL_SHIM_VM_STATS_H

#include "shim/vm/vm.h"

/* An operation of the keeper: asks the guest and answers the client then. */
int vm_stats(struct conn *conn, struct zl_error *err);

#endif
