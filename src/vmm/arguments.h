/* SPDX-License-Identifier: Apache-2.0
 *
 * A command line under construction, for command.c and devices.c: options and the descriptors they
 * refer to. The first error stays; what is added after it is ignored.
 */
#ifndef ZL_VMM_ARGUMENTS_H
#define ZL_VMM_ARGUMENTS_H

#include "vmm/command.h"

enum {
  ZL_VM_MAX_FDS = 32, /* three files, two disks, link, four sockets, binds */
  ZL_VM_FIRST_FD = 3  /* number in QEMU; below are the standard streams */
};

struct zl_arguments {
  char **argv;
  struct zl_proc_fd fds[ZL_VM_MAX_FDS];
  size_t n_fds;
  struct zl_error *err;
  int r; /* 0 or the first error */
};

/* An option without a value. */
void zl__argument(struct zl_arguments *args, const char *option);
/* An option with a value. */
void zl__option(struct zl_arguments *args, const char *option, const char *fmt, ...)
    ZL_PRINTF(3, 4);
/* The number that our `fd` has in QEMU. */
int zl__inherit(struct zl_arguments *args, int fd);

/* Every device, in the fixed order on which a guest's state depends (devices.c). */
void zl__add_devices(struct zl_arguments *args, const struct zl_vm_machine *machine);

#endif
