/* SPDX-License-Identifier: Apache-2.0
 *
 * Starting zlayer-shim-vm for work in the background.
 */
#ifndef ZL_RUNTIME_VM_HELPER_H
#define ZL_RUNTIME_VM_HELPER_H

#include "runtime/shim/shimclient.h"

/* Starts the helper detached and with low priority in `mode` ("template", "pool") with the
 * directory as descriptor 3, `reply_fd` (-1: none) as 4 and `lock_fd` as 5: a lock that is held
 * until it ends, which it need not know of. */
int zl_vm_helper_start(struct zl_shimclient *client, const char *mode, int dir_fd, int reply_fd,
                       int lock_fd, struct zl_error *err);

#endif
