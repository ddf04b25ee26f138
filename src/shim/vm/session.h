/* SPDX-License-Identifier: Apache-2.0
 *
 * Processes in the guest: the container's first one, and those executed for clients.
 */
#ifndef ZL_SHIM_VM_SESSION_H
#define ZL_SHIM_VM_SESSION_H

#include "shim/vm/vm.h"

/* Operations of the keeper (shim/keeper.h). */
int vm_session_start(struct conn *conn, struct request *request, struct zl_error *err);
void vm_session_forget(struct conn *conn);
void vm_session_signal(struct conn *conn, int signal);
void vm_session_resize(struct conn *conn, unsigned rows, unsigned cols);
int vm_init_start(struct shim *shim, struct zl_error *err);

/* The machine is dead: first all processes are, whatever the guest still owes (before the
 * connection is closed), then the clients are told. */
void vm_session_kill_all(struct vm_shim *vm);
void vm_session_end_all(struct vm_shim *vm);

#endif
