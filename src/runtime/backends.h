/* SPDX-License-Identifier: Apache-2.0
 *
 * The backends of this system (backends_linux.c, backends_windows.c).
 */
#ifndef ZL_RUNTIME_BACKENDS_H
#define ZL_RUNTIME_BACKENDS_H

#include "runtime/node.h"

/* Ended by NULL. */
extern const struct zl_runtime_ops *const zl_backends_known[ZL_NODE_BACKENDS];

/* ZL_E_UNSUPPORTED: containers of that system do not run here. */
int zl_backends_accept(const struct zl_service *service, struct zl_error *err);
/* The name of the backend that serves it when nobody says. */
const char *zl_backends_default(const struct zl_service *service);

#endif
