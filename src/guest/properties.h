/* SPDX-License-Identifier: Apache-2.0
 *
 * GetProperties: docs/bridge.md.
 */
#ifndef ZL_GUEST_PROPERTIES_H
#define ZL_GUEST_PROPERTIES_H

#include <jansson.h>
#include <zlayer/error.h>

struct agent;

/* The whole answer to a query; the caller releases *ret. */
int properties_get(struct agent *agent, const char *container_id, const json_t *query, json_t **ret,
                   struct zl_error *err);

#endif
