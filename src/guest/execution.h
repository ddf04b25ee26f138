/* SPDX-License-Identifier: Apache-2.0
 *
 * ExecuteProcess taken apart: docs/bridge.md.
 */
#ifndef ZL_GUEST_EXECUTION_H
#define ZL_GUEST_EXECUTION_H

#include <jansson.h>
#include <zlayer/error.h>

#include "guest/container.h"

/* A member that is a JSON object, or one inside a JSON string; the caller releases *ret. */
int request_parse_member(const json_t *body, const char *name, json_t **ret, struct zl_error *err);

/* *ret borrows from *ret_parameters, which the caller releases. */
int execution_parse(const json_t *body, json_t **ret_parameters, struct execution *ret,
                    struct zl_error *err);

#endif
