/* SPDX-License-Identifier: Apache-2.0
 *
 * Translated code of an emulated machine with one processor, kept in a file (docs/microvm.md, "Kept
 * code"). Only our own QEMU can (guest/qemu-code.patch). The machine is stopped. Every call blocks
 * until QEMU is done or the deadline (CLOCK_BOOTTIME) is over. ZL_E_REMOTE: QEMU refused or has
 * ended.
 */
#ifndef ZL_VMM_CODE_H
#define ZL_VMM_CODE_H

#include <stdbool.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "vmm/qmp.h"

/* Whether this QEMU can. */
int zl_vm_code_can(struct zl_qmp *qmp, uint64_t deadline_ns, bool *ret, struct zl_error *err);

/* Writes a clone's code, as far as it is of what its template has in its memory. The caller syncs
 * the file. */
int zl_vm_code_save(struct zl_qmp *qmp, int code_fd, uint64_t deadline_ns, struct zl_error *err);

/* Gives such code, from the file's beginning, to another clone of the same template, which has not
 * run yet. A machine that refuses it is as good as before. The file's offset moves. */
int zl_vm_code_load(struct zl_qmp *qmp, int code_fd, uint64_t deadline_ns, struct zl_error *err);

#endif
