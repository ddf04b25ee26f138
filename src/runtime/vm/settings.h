/* SPDX-License-Identifier: Apache-2.0
 *
 * The member `vm` of ROOT/config.yaml: how this node makes machines.
 */
#ifndef ZL_RUNTIME_VM_SETTINGS_H
#define ZL_RUNTIME_VM_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>
#include <zlayer/error.h>

enum {
  ZL_VM_MAX_POOL = 64 /* machines that wait: each holds some 45 MiB */
};

enum zl_vm_kernel {
  ZL_VM_KERNEL_AUTO, /* ours, else Debian's */
  ZL_VM_KERNEL_ZLAYER,
  ZL_VM_KERNEL_DEBIAN
};

struct zl_vm_settings {
  uint64_t scratch_bytes;
  unsigned memory_mib, cpus;
  unsigned pool;
  bool templates;       /* in use at all */
  bool image_templates; /* also those that have an image in their memory */
  enum zl_vm_kernel kernel;
};

/* The defaults. */
void zl_vm_settings_init(struct zl_vm_settings *settings);
/* Defaults where there is no file or no such key. ZL_E_INVALID names key and line. */
int zl_vm_settings_load(int root_fd, struct zl_vm_settings *ret, struct zl_error *err);

#endif
