/* SPDX-License-Identifier: Apache-2.0
 *
 * What zlayer needs of a kernel and what to say where it is missing.
 */
#ifndef ZL_BASE_KERNEL_H
#define ZL_BASE_KERNEL_H

#include <stdbool.h>
#include <zlayer/error.h>

/* When `err` is a system call that answered ENOSYS: appends to its message which of those that
 * zlayer needs are missing here, by trying each with arguments that no kernel accepts. Otherwise
 * `err` stays as it is. A filter that somebody has put around zlayer looks the same as an old
 * kernel. */
void zl_kernel_explain(struct zl_error *err);

/* Whether the running kernel says that it is of this version or a later one. Only for choosing
 * between two ways that both work. */
bool zl_kernel_is_from(unsigned major, unsigned minor);

#endif
