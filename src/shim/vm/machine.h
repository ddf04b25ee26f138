/* SPDX-License-Identifier: Apache-2.0
 *
 * Getting a machine whose guest answers: booted, or cloned from a template (docs/microvm.md).
 */
#ifndef ZL_SHIM_VM_MACHINE_H
#define ZL_SHIM_VM_MACHINE_H

#include "shim/vm/vm.h"

/* Beside the files of a template with an image: the `bundle` of the container prepared in it, and
 * `nextPort`, the first stream that its guest has not seen yet. */
#define TEMPLATE_CONTENTS "contents.json"

/* Files behind the devices of a machine that is to be started; borrowed from the caller but for
 * scratch_fd, which is made here and the caller's afterwards. */
struct machine_files {
  struct qemu_files qemu;
  int dir_fd;        /* where its scratch disk is made */
  bool keep_scratch; /* under its name, "scratch"; else the disk has none */
  bool unnamed;      /* its directory has a file of that name already */
};

/* Clones when there is a template that fits, else boots; vm->shim.tier says which. A template that
 * does not work is set aside with shim.warning, and the machine is booted. Blocks until the guest
 * has negotiated. After an error nothing runs. */
int machine_start(struct vm_shim *vm, struct machine_files *files, struct zl_error *err);
/* The clone does not work, for this reason: as above. */
int machine_boot_instead(struct vm_shim *vm, struct machine_files *files,
                         const struct zl_error *why, struct zl_error *err);
/* Only one way. */
int machine_boot(struct vm_shim *vm, struct machine_files *files, enum zl_vm_start start,
                 struct zl_error *err);
int machine_clone(struct vm_shim *vm, struct machine_files *files, struct zl_error *err);

/* Its template does not work. Without its seal it is none any more: the library has it made anew.
 */
void machine_set_aside(const struct vm_shim *vm);

/* Completes an error of a machine whose guest was connected: whether QEMU has died, else what it
 * was, after `prefix`; and the guest's last console lines. */
void machine_explain(struct vm_shim *vm, const char *prefix, struct zl_error *err);

/* Ends QEMU and the connections. Idempotent. */
void machine_stop(struct vm_shim *vm);

#endif
