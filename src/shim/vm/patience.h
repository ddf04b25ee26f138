/* SPDX-License-Identifier: Apache-2.0
 *
 * How long a machine may take before it is taken for hung.
 */
#ifndef ZL_SHIM_VM_PATIENCE_H
#define ZL_SHIM_VM_PATIENCE_H

#include <stdint.h>

#include "base/fault.h"
#include "base/time.h"

/* When it is over, in nanoseconds of CLOCK_BOOTTIME. A test cannot wait for as long as an emulated
 * processor on a busy host may need: with the fault point it is a thirtieth of that. */
static inline uint64_t patience_end(uint64_t patience_ns)
{
  return zl_time_boot() + (ZL_FAULT("shim.vm.hasty") != 0 ? patience_ns / 30 : patience_ns);
}

#endif
