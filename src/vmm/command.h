/* SPDX-License-Identifier: Apache-2.0
 *
 * QEMU's command line from typed fields only (docs/microvm.md). Every file is a descriptor that
 * QEMU inherits: no path of ours is in it, so no path can be mistaken for an option. A template's
 * machine and its clones have the same devices in the same order, whatever stands behind them.
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
  ZL_VM_MAX_VCPUS = 32,     /* CONFIG_NR_CPUS of the guest kernel */
  ZL_VM_MAX_BINDS = 8,      /* where devices are found through ACPI */
  ZL_VM_MAX_BINDS_MMIO = 3, /* without: microvm has eight virtio-mmio slots, five are taken */
  ZL_VM_MAC = 6
};

/* The n-th has the 9p tag "bind<n>". A template and its clones always have all that the machine
 * can have, so that a clone may share directories its template knew nothing of; those that are not
 * given are empty and belong to no directory of the host. */
struct zl_vm_bind {
  int dir_fd; /* O_PATH directory */
  bool read_only;
};

/* Descriptors are borrowed; -1: none, where that is said. */
struct zl_vm_machine {
  enum zl_vm_accel accel;
  enum zl_vm_start start;
  unsigned memory_mib, vcpus;
  uint64_t tsc_khz;         /* of the host; given to the guest, which cannot measure it */
  bool acpi;                /* devices are found through ACPI (Debian's kernel) */
  int kernel_fd, initrd_fd; /* not for a clone */
  int memory_fd;            /* not for a boot */
  int image_fd;             /* EROFS, opened for reading only; -1: a place-holder of 1 TiB,
                               so that the guest believes in a disk that has room for every
                               image put behind it later. Reads past the real end fail */
  int scratch_fd;           /* ext4, opened for reading and writing; -1: none (a boot) */
  int tap_fd;               /* with IFF_VNET_HDR; -1: a link that leads nowhere, as a template's
                              must */
  uint8_t mac[ZL_VM_MAC];   /* of eth0 */
  int bridge_fd, stdio_fd;  /* QEMU's ends of the ports' sockets */
  int console_fd, qmp_fd;   /* and of the console's and the monitor's */
  const struct zl_vm_bind *binds;
  size_t n_binds;
};

struct zl_vm_command {
  char **argv;            /* NULL-terminated */
  struct zl_proc_fd *fds; /* for zl_proc_options */
  size_t n_fds;
};

/* How many directories such a machine can share. */
size_t zl_vm_max_binds(bool acpi);

/* ZL_E_INVALID: a field out of its bounds. ZL_E_LIMIT: more binds than zl_vm_max_binds. */
int zl_vm_command_build(const struct zl_vm_machine *machine, struct zl_vm_command *ret,
                        struct zl_error *err);
void zl_vm_command_done(struct zl_vm_command *command);

/* What the guest kernel is told: console, TSC rate, no calibration. The caller frees it. */
char *zl_vm_kernel_arguments(const struct zl_vm_machine *machine);

/* Names of block nodes for QMP: the format node of a disk, whose file is replaced when a pooled
 * machine gets its image, and that file as the machine began. */
#define ZL_VM_NODE_IMAGE      "image"
#define ZL_VM_NODE_IMAGE_FILE "image-file"
#define ZL_VM_NODE_SCRATCH    "scratch"

/* The hub that stands in for a link that leads nowhere (zl_vm_plug_tap). */
enum {
  ZL_VM_HUB = 0
};

/* What the guest knows its virtio-serial ports and shared directories by: the same as in
 * bridge/guest.h, which this room does not see. */
#define ZL_VM_PORT_BRIDGE "org.zlayer.bridge"
#define ZL_VM_PORT_STDIO  "org.zlayer.stdio"
#define ZL_VM_BIND_TAG    "bind"

#endif
