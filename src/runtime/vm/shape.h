/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_RUNTIME_VM_SHAPE_H
#define ZL_RUNTIME_VM_SHAPE_H

#include "runtime/vm/settings.h"

enum {
  ZL_VM_MEMORY_STEP = 128, /* MiB: so that few limits share many templates */
  ZL_VM_MEMORY_REST = 96   /* MiB of a machine that its workload cannot have */
};

/* MiB of a machine whose workload may have `limit` bytes, and its processors for so much processor
 * time; 0: not said. */
unsigned zl_vm_shape_memory(const struct zl_vm_settings *settings, uint64_t limit);
unsigned zl_vm_shape_cpus(const struct zl_vm_settings *settings, double cpus);

#endif
