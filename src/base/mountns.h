/* SPDX-License-Identifier: Apache-2.0
 *
 * Work in a mount namespace that nobody else sees and that ends with the work.
 */
#ifndef ZL_BASE_MOUNTNS_H
#define ZL_BASE_MOUNTNS_H

#include <stdbool.h>
#include <stddef.h>
#include <zlayer/error.h>

/* What is to be done: gives one descriptor. */
typedef int zl_mountns_fn(void *ctx, int *ret_fd, struct zl_error *err);

/* Calls fn in a process with a private copy of the caller's mount namespace, on whose "/" the n
 * detached `mounts` are attached. The process shares the caller's descriptors, so that what fn
 * opens (*ret_fd) is the caller's; of its memory it has a copy. It sends no SIGCHLD and is gone at
 * the return, and so is the namespace: `mounts` are in none then. In a program with threads fn must
 * do without malloc and locks. Needs CAP_SYS_ADMIN. Errors: fn's own, ZL_E_SYSTEM. */
int zl_mountns_run(const int *mounts, size_t n, zl_mountns_fn *fn, void *ctx, int *ret_fd,
                   struct zl_error *err);

/* Whether this kernel (before 6.15) copies mounts and takes them as an overlay's layers only in the
 * namespace where they are attached: such work, and every mount it needs, goes to zl_mountns_run.
 */
bool zl_mountns_is_needed(void);

#endif
