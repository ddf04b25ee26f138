/* SPDX-License-Identifier: Apache-2.0
 *
 * Of the two implementations of control.h.
 */
#ifndef ZL_RUNTIME_SHIM_CONTROL_REPLY_H
#define ZL_RUNTIME_SHIM_CONTROL_REPLY_H

#include "runtime/shim/control.h"

/* A message of the shim: an error reply is returned as the error that it says. The caller releases
 * *ret. */
int zl__control_understand(const char *text, size_t len, json_t **ret, struct zl_error *err);
/* ZL_E_REMOTE. */
int zl__control_gone(struct zl_error *err);
/* The text of a request, which is released. The caller frees *ret. ZL_E_LIMIT. */
int zl__control_render(json_t *request, char **ret, struct zl_error *err);

#endif
