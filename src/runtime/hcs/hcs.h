/* SPDX-License-Identifier: Apache-2.0
 *
 * The backend for Windows: containers of the Host Compute Service, each kept by a zlayer-shim.exe,
 * with the host's kernel or with a machine of their own (docs/windows.md).
 */
#ifndef ZL_RUNTIME_HCS_HCS_H
#define ZL_RUNTIME_HCS_HCS_H

#include "runtime/runtime.h"

extern const struct zl_runtime_ops zl_hcs_ops;

#endif
