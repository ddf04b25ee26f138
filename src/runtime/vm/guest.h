/* SPDX-License-Identifier: Apache-2.0
 *
 * What a machine is made of on this node: a guest kernel, QEMU, and the accelerator.
 */
#ifndef ZL_RUNTIME_VM_GUEST_H
#define ZL_RUNTIME_VM_GUEST_H

#include "base/cleanup.h"
#include "runtime/vm/settings.h"
#include "vmm/accel.h"

#define ZL_VM_QEMU "/usr/bin/qemu-system-x86_64"

struct zl_vm_guest {
  const char *name;      /* "zlayer" or "debian" */
  char *kernel, *initrd; /* paths */
  char *version;
  bool acpi;
  bool has_9p; /* it can see directories of the host */
};

/* Looks below `guest_dir`. ZL_E_UNSUPPORTED says how to make a kernel; ZL_E_CORRUPT: kernel.json.
 */
int zl_vm_guest_find(const char *guest_dir, enum zl_vm_kernel wanted, struct zl_vm_guest *ret,
                     struct zl_error *err);
void zl_vm_guest_done(struct zl_vm_guest *guest);
#define zl_autoguest ZL_CLEANUP(zl_vm_guest_done) struct zl_vm_guest

/* $ZLAYER_GUEST_DIR, else `guest` beside the helper programs, whose directory is given. The caller
 * frees it. */
int zl_vm_guest_dir(const char *helper_dir, char **ret, struct zl_error *err);

/* Our own QEMU in `guest_dir` (`make guest-qemu`), else the one of the system at `path`. The caller
 * frees it. ZL_E_UNSUPPORTED names the package that has it. */
int zl_vm_qemu_find(const char *guest_dir, const char *path, char **ret, struct zl_error *err);

/* The helper program `program`, open as `fd`. */
struct zl_vm_helper {
  const char *program;
  int fd;
};
/* What the helper's probe said of this boot (accel.json in the directory), asked when nobody has
 * yet. */
int zl_vm_accel_get(const struct zl_vm_helper *helper, int vm_fd, const char *boot_id,
                    struct zl_accel *ret, struct zl_error *err);
const char *zl_vm_accel_text(enum zl_vm_accel accel); /* "tcg", "kvm" */
/* The probe's answer, or the file's. ZL_E_CORRUPT. */
int zl_vm_accel_parse(const char *text, size_t len, struct zl_accel *ret, struct zl_error *err);

#endif
