/* SPDX-License-Identifier: Apache-2.0
 *
 * The Linux backend: one zlayer-shim per container (docs/shim.md). It writes the bundle, starts the
 * shim, speaks its protocol, and clears away what a dead shim left.
 */
#ifndef ZL_RUNTIME_LINUX_LINUX_H
#define ZL_RUNTIME_LINUX_LINUX_H

#include "runtime/runtime.h"

extern const struct zl_runtime_ops zl_linux_ops;

#endif
