/* SPDX-License-Identifier: Apache-2.0
 *
 * Saving a machine's state and going on from it in another process (docs/microvm.md). The memory is
 * not part of the state: it is the file of both machines (ZL_VM_TEMPLATE, ZL_VM_CLONE). Every call
 * blocks until QEMU is done or the deadline (CLOCK_BOOTTIME) is over. ZL_E_REMOTE: QEMU refused or
 * has ended; a machine whose state did not load cannot be used any more.
 */
#ifndef ZL_VMM_CLONE_H
#define ZL_VMM_CLONE_H

#include <stdint.h>
#include <zlayer/error.h>

#include "vmm/qmp.h"

/* Gives QEMU a file, from its beginning, under a name by which commands know it. */
int zl_vm_hand_over(struct zl_qmp *qmp, const char *name, int fd, uint64_t deadline_ns,
                    struct zl_error *err);

/* Stops a template's machine and writes its state to a file, from its beginning. The machine can
 * only be ended afterwards. The caller syncs the files. */
int zl_vm_save(struct zl_qmp *qmp, int state_fd, uint64_t deadline_ns, struct zl_error *err);

/* Loads a state, from the file's beginning, into a clone's machine, which stays stopped. The file's
 * offset moves: the description must not be shared with another machine that is loading. */
int zl_vm_load(struct zl_qmp *qmp, int state_fd, uint64_t deadline_ns, struct zl_error *err);

/* Lets the processors run, or stops them. Idempotent. */
int zl_vm_continue(struct zl_qmp *qmp, uint64_t deadline_ns, struct zl_error *err);
int zl_vm_stop(struct zl_qmp *qmp, uint64_t deadline_ns, struct zl_error *err);

#endif
