/* SPDX-License-Identifier: Apache-2.0
 *
 * The backends of this system (backends_linux.c, backends_windows.c).
 */
#ifndef ZL_RUNTIME_BACKENDS_H
#define ZL_RUNTIME_BACKENDS_H

#include "runtime/node.h"

/* Ended by NULL. */
extern const struct zl_runtime_ops *const zl_backends_known[ZL_NODE_BACKENDS + 1];
/* Whose containers run here. */
extern const enum zl_os zl_backends_os;

/* The name of the backend that serves it when nobody says. */
const char *zl_backends_default(const struct zl_service *service);

#endif
