/* SPDX-License-Identifier: Apache-2.0
 *
 * What zlayer-shim-vm does besides keeping a container (docs/microvm.md, "Modes"). Each is the rest
 * of main and returns the exit status.
 */
#ifndef ZL_SHIM_VM_MODES_H
#define ZL_SHIM_VM_MODES_H

#include "shim/vm/vm.h"

/* Prints what the probe says of this host's accelerator. */
int mode_probe(void);

/* Makes the template of the machine.json in the directory. `reply_fd` -1: nobody is told. */
int mode_template(struct vm_shim *vm, int dir_fd, int reply_fd);

/* Makes a machine, warms it and waits for the container that claims it, which is then kept like
 * any other. */
int mode_pool(struct vm_shim *vm, int dir_fd);

/* A machine that is to be a template of its image: mounts that, reads the program and the shell,
 * and prepares a container from `bundle`. */
int warm_template(struct vm_shim *vm, json_t *bundle, struct zl_error *err);
/* The image with which a clone is warmed: its own, or that of ours for a machine of any. */
int warm_open_image(const struct vm_shim *vm, int *ret_fd, struct zl_error *err);
/* A clone of a template: sends containers through a machine's whole life, so that a later one finds
 * everything in place: translated code under emulation, memory, caches. One of any image is left as
 * it was; of one with an image all prepared containers but one are used up. */
int warm_clone(struct vm_shim *vm, struct zl_error *err);
/* The guest's kernel frees what containers have left only after some grace periods of RCU, and goes
 * to sleep in another way when it has had nothing to do for a while. A machine that is stopped
 * earlier does that beside its container. */
enum {
  WARM_SETTLE_MS = 300
};
void warm_settle(void);

#endif
