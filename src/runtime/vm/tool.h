/* SPDX-License-Identifier: Apache-2.0
 *
 * Debian's programs that make file systems.
 */
#ifndef ZL_RUNTIME_VM_TOOL_H
#define ZL_RUNTIME_VM_TOOL_H

#include <zlayer/error.h>

/* Runs argv[0] (a path) with `out_fd` as its descriptor 3 and waits for it. What it says on its
 * standard error is in the error; ZL_E_UNSUPPORTED names the package. */
int zl_vm_tool_run(const char *const *argv, int out_fd, const char *package, struct zl_error *err);

#endif
