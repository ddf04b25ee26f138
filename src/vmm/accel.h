/* SPDX-License-Identifier: Apache-2.0
 *
 * Which accelerator runs a guest here. That /dev/kvm opens says nothing: where KVM itself is
 * emulated it interprets a kernel at a million instructions a second and stops at the first that it
 * does not know. So a loop is timed in long mode, and three instructions are tried on which such
 * hosts fail (lock cmpxchg16b, xrstor, int3).
 */
#ifndef ZL_VMM_ACCEL_H
#define ZL_VMM_ACCEL_H

#include <stdint.h>
#include <zlayer/error.h>

#include "vmm/command.h"

enum {
  ZL_ACCEL_TEXT = 96,
  ZL_ACCEL_MIN_MIPS = 50 /* real KVM has thousands, an interpreted one has one */
};

struct zl_accel {
  enum zl_vm_accel accel;
  char kvm[ZL_ACCEL_TEXT]; /* for people: "kvm: present but 1 MIPS, using tcg" */
  uint64_t mips;           /* measured; 0: nothing was measured */
  uint64_t tsc_khz;
};

/* Blocks for at most half a second: forks a child that is killed when it takes too long, so only
 * for single-threaded programs. ZL_E_SYSTEM: not even the clock could be read. */
int zl_accel_probe(struct zl_accel *ret, struct zl_error *err);

/* The TSC's rate against CLOCK_MONOTONIC_RAW; blocks for 50 ms. */
int zl_tsc_measure(uint64_t *ret_khz, struct zl_error *err);

#endif
