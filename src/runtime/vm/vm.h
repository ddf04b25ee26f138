/* SPDX-License-Identifier: Apache-2.0
 *
 * The backend of isolation hyperv: one QEMU machine per container, kept by zlayer-shim-vm
 * (docs/microvm.md). It writes machine.json and the guest's bundle, makes the disks that machines
 * share, and keeps templates and the pool.
 */
#ifndef ZL_RUNTIME_VM_VM_H
#define ZL_RUNTIME_VM_VM_H

#include "runtime/runtime.h"

extern const struct zl_runtime_ops zl_vm_ops;

#endif
