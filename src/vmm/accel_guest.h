/* SPDX-License-Identifier: Apache-2.0
 *
 * A tiny guest in long mode, run by KVM in the calling process, for the probe's child.
 */
#ifndef ZL_VMM_ACCEL_GUEST_H
#define ZL_VMM_ACCEL_GUEST_H

#include <stdbool.h>
#include <stdint.h>

struct zl_guest {
  int vm_fd, vcpu_fd;
  uint8_t *memory;
  struct kvm_run *run;
};

/* Makes the machine. What it takes goes with the process. False: KVM refused. */
bool zl__guest_make(struct zl_guest *guest, int kvm_fd);
/* Times a loop of 40,000 instructions. False: it did not come to its end. */
bool zl__guest_loop(struct zl_guest *guest, uint64_t *ret_mips);
/* Runs the instructions at which emulated hosts fail. False: so does this one. */
bool zl__guest_tour(struct zl_guest *guest);

#endif
