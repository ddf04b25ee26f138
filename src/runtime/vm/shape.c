/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/vm/shape.h"

#include <math.h>

#define MIB (UINT64_C(1) << 20)

/* The limit is the workload's; kernel and agent need memory beside it. */
unsigned zl_vm_shape_memory(const struct zl_vm_settings *settings, uint64_t limit)
{
  const uint64_t step = ZL_VM_MEMORY_STEP;
  uint64_t wanted;

  if (limit == 0)
    return settings->memory_mib;
  wanted = limit / MIB + (limit % MIB != 0) + ZL_VM_MEMORY_REST;
  wanted = (wanted + step - 1) / step * step;
  if (wanted > UINT32_MAX)
    wanted = UINT32_MAX; /* far beyond what is allowed */
  return wanted > settings->memory_mib ? (unsigned)wanted : settings->memory_mib;
}

unsigned zl_vm_shape_cpus(const struct zl_vm_settings *settings, double cpus)
{
  if (cpus <= 0)
    return settings->cpus;
  return cpus > UINT16_MAX ? UINT16_MAX : (unsigned)ceil(cpus);
}
