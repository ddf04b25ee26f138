/* SPDX-License-Identifier: Apache-2.0
 *
 * What the unpacking process gives up before it looks at the first byte of an image. In order:
 * other processes' view of it, network and IPC, the file system outside the staging directory
 * (chroot and Landlock), resources, capabilities, and at last all system calls but some forty. Who
 * writes an image has an open file for it: no capability is left, no path and no call that takes
 * one.
 */
#ifndef ZL_UNPACK_SANDBOX_H
#define ZL_UNPACK_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>
#include <zlayer/error.h>

struct zl_sandbox_options {
  int root_fd;        /* becomes "/", and all that can be changed */
  uint64_t file_size; /* largest file of a layer */
  bool devices;       /* keep the right to make device nodes */
  bool image;         /* nothing is made below root_fd */
};

/* Everything but the system call filter. Single-threaded caller with CAP_SYS_ADMIN. */
int zl_sandbox_enter(const struct zl_sandbox_options *options, struct zl_error *err);

/* The filter (seccomp.c), for all threads of the process: no new ones and no programs after this.
 * A call outside the list kills the process with SIGSYS. */
int zl_sandbox_filter(bool image, struct zl_error *err);

/* Landlock (landlock.c): changes below root_fd only (none for an image), no reading of files, no
 * TCP, no signals or abstract sockets to the outside, as far as this kernel knows them. A kernel
 * without it is fine: it is the second wall. */
int zl_sandbox_landlock(const struct zl_sandbox_options *options, struct zl_error *err);

#endif
