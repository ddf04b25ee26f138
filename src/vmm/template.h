/* SPDX-License-Identifier: Apache-2.0
 *
 * Templates: which machine one belongs to, and whether its files are still those that were written
 * (docs/microvm.md).
 */
#ifndef ZL_VMM_TEMPLATE_H
#define ZL_VMM_TEMPLATE_H

#include <stdbool.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "vmm/command.h"

enum {
  ZL_VM_KEY_TEXT = 65,
  ZL_VM_TEMPLATE_FORMAT = 4 /* of the files and the machine; another one is another key */
};

/* What a machine's memory depends on. */
struct zl_vm_shape {
  const char *qemu, *kernel, *initrd; /* paths: their identity is size, times and inode */
  const char *scratch;                /* path of the prepared disk */
  const char *image;                  /* path of the image that is in its memory; NULL: none is */
  enum zl_vm_accel accel;
  unsigned memory_mib, vcpus;
  bool acpi;
};

/* A name for the template of this shape: SHA-256 over all of it, the processor's model and flags
 * and the format. ZL_E_NOT_FOUND: one of the files is missing. */
int zl_vm_shape_key(const struct zl_vm_shape *shape, char key[ZL_VM_KEY_TEXT],
                    struct zl_error *err);

/* Writes template.json into the template's directory, after its files are complete and synced: for
 * each of memory, state and scratch its size, allocated blocks, inode and times, of state its
 * SHA-256 too. */
int zl_vm_template_seal(int dir_fd, const char *key, struct zl_error *err);

/* Adds the file code, complete and synced, to a template that is sealed. What the others were when
 * they were sealed stays: clones have read them since, and a hole that was read has blocks as long
 * as the kernel likes. */
int zl_vm_template_seal_code(int dir_fd, const char *key, struct zl_error *err);

/* Opens the files of a sealed template after checking them against template.json.
 * ZL_E_NOT_FOUND: there is none (it was never finished). ZL_E_CORRUPT: a file is not what was
 * written; the message says which. */
struct zl_vm_template {
  int memory_fd, state_fd, scratch_fd;
  int code_fd; /* translated code (vmm/code.h); -1: it was sealed without */
};
#define ZL_VM_TEMPLATE_INIT                                           \
  {                                                                   \
    .memory_fd = -1, .state_fd = -1, .scratch_fd = -1, .code_fd = -1, \
  }
int zl_vm_template_open(int dir_fd, const char *key, struct zl_vm_template *ret,
                        struct zl_error *err);
/* Idempotent. */
void zl_vm_template_close(struct zl_vm_template *template);

#endif
