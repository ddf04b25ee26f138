/* SPDX-License-Identifier: Apache-2.0
 *
 * Work in a thread of its own, for what a thread can have apart from the rest of its program: a
 * mount namespace, a niceness. The library's caller must not notice either.
 */
#ifndef ZL_RUNTIME_VM_APART_H
#define ZL_RUNTIME_VM_APART_H

#include <zlayer/error.h>

/* Runs `fn` in a new thread, waits for it and returns what it does. */
int zl_vm_apart(int (*fn)(void *ctx, struct zl_error *err), void *ctx, struct zl_error *err);

#endif
