/* SPDX-License-Identifier: Apache-2.0
 *
 * How long a machine may take before it is taken for hung.
 */
#ifndef ZL_SHIM_VM_PATIENCE_H
#define ZL_SHIM_VM_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/time.h"

/* A test cannot wait for as long as an emulated processor on a busy host may need: with the fault
 * point of its name a patience is a thirtieth of that. */
struct patience {
  const char *fault;
  uint64_t ns; /* UINT64_MAX: for ever */
};

#define PATIENCE_BOOT    ((struct patience){ "shim.vm.hasty.boot", 90 * ZL_NS_PER_S })
#define PATIENCE_CLONE   ((struct patience){ "shim.vm.hasty.clone", 15 * ZL_NS_PER_S })
#define PATIENCE_MONITOR ((struct patience){ "shim.vm.hasty.monitor", 20 * ZL_NS_PER_S })
/* What a guest that runs is told before its workload. */
#define PATIENCE_GUEST   ((struct patience){ "shim.vm.hasty.guest", 60 * ZL_NS_PER_S })
/* Executing a program: an image on a slow disk, an emulated processor. */
#define PATIENCE_EXECUTE ((struct patience){ "shim.vm.hasty.execute", 60 * ZL_NS_PER_S })
/* Signals, freezing. */
#define PATIENCE_CONTROL ((struct patience){ "shim.vm.hasty.control", 30 * ZL_NS_PER_S })
/* As PATIENCE_GUEST for a clone: what hangs is booted instead, and somebody waits for that, too. */
#define PATIENCE_CLONED  ((struct patience){ "shim.vm.hasty.cloned", 30 * ZL_NS_PER_S })
#define PATIENCE_STATS   ((struct patience){ "shim.vm.hasty.stats", 10 * ZL_NS_PER_S })
#define PATIENCE_SAVE    ((struct patience){ "shim.vm.hasty.save", 60 * ZL_NS_PER_S })
#define PATIENCE_ENDLESS ((struct patience){ NULL, UINT64_MAX })

/* When it is over, in nanoseconds of CLOCK_BOOTTIME. */
static inline uint64_t patience_end(struct patience patience)
{
  bool hasty = patience.fault != NULL && ZL_FAULT(patience.fault) != 0;

  if (patience.ns == UINT64_MAX)
    return UINT64_MAX;
  return zl_time_boot() + (hasty ? patience.ns / 30 : patience.ns);
}

#endif
