/* SPDX-License-Identifier: Apache-2.0
 *
 * QEMU's command line from typed fields only (docs/microvm.md). Every file is a descriptor that QEMU
 * inherits: no path of ours is in it, so no path can be mistaken for an option. A template's machine
 * and its clones have the same devices in the same order, whatever stands behind them.
 */
#ifndef ZL_VMM_COMMAND_H
#define ZL_VMM_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/proc.h"

enum zl_vm_accel {
  ZL_VM_TCG,
  ZL_VM_KVM
};

enum zl_vm_start {
  ZL_VM_BOOT,     /* the kernel boots; memory is QEMU's own */
  ZL_VM_TEMPLATE, /* the kernel boots; memory is the file memory_fd, shared with it */
  ZL_VM_CLONE     /* waits for migrate-incoming; memory is memory_fd, copied on write */
};

enum {
  ZL_VM_MIN_MEMORY_MIB = 64,
  ZL_VM_MAX_MEMORY_MIB = 1 << 20,
  ZL_VM_MAX_VCPUS = 32, /* CONFIG_NR_CPUS of the guest kernel */
  ZL_VM_MAX_BINDS = 8,
  ZL_VM_MAC = 6
};

struct zl_vm_bind {
  int dir_fd; /* O_PATH directory */
  bool read_only;
};

/* Descriptors are borrowed; -1: none, where that is said. */
struct zl_vm_machine {
  enum zl_vm_accel accel;
  enum zl_vm_start start;
  unsigned memory_mib, vcpus;
  uint64_t tsc_khz;                /* of the host; given to the guest, which cannot measure it */
  bool acpi;                       /* devices are found through ACPI (Debian's kernel) */
  int kernel_fd, initrd_fd;        /* not for a clone */
  int memory_fd;                   /* not for a boot */
  int image_fd;                    /* EROFS, read-only; -1: a place-holder */
  int scratch_fd;                  /* ext4 */
  int tap_fd;                      /* with IFF_VNET_HDR; -1: a link that leads nowhere */
  uint8_t mac[ZL_VM_MAC];          /* of eth0 */
  int bridge_fd, stdio_fd;         /* QEMU's ends of the ports' sockets */
  int console_fd, qmp_fd;          /* and of the console's and the monitor's */
  const struct zl_vm_bind *binds;
  size_t n_binds;
};

struct zl_vm_command {
  char **argv;            /* NULL-terminated */
  struct zl_proc_fd *fds; /* for zl_proc_options */
  size_t n_fds;
};

/* ZL_E_INVALID: a field out of its bounds. */
int zl_vm_command_build(const struct zl_vm_machine *machine, struct zl_vm_command *ret,
                        struct zl_error *err);
void zl_vm_command_done(struct zl_vm_command *command);

/* What the guest kernel is told: console, TSC rate, no calibration. The caller frees it. */
char *zl_vm_kernel_arguments(const struct zl_vm_machine *machine);

/* Names of block nodes for QMP: the format node of a disk, whose file is replaced when a pooled
 * machine gets its image. */
#define ZL_VM_NODE_IMAGE   "image"
#define ZL_VM_NODE_SCRATCH "scratch"

#endif
