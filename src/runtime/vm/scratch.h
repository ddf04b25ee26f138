/* SPDX-License-Identifier: Apache-2.0
 *
 * The prepared scratch disk, ROOT/vm/scratch/<bytes>.ext4: sparse, with the directories `upper` and
 * `work` of the container's writable layer. A machine gets a sparse copy.
 */
#ifndef ZL_RUNTIME_VM_SCRATCH_H
#define ZL_RUNTIME_VM_SCRATCH_H

#include <stdint.h>
#include <zlayer/error.h>

enum {
  ZL_VM_SCRATCH_NAME = 32
};

/* Makes it in dir_fd if it is not there; waits for whoever makes it. `name` gets its name. */
int zl_vm_scratch_ensure(int dir_fd, uint64_t bytes, char name[ZL_VM_SCRATCH_NAME],
                         struct zl_error *err);

#endif
