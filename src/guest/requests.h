/* SPDX-License-Identifier: Apache-2.0
 *
 * What the host asks for: docs/bridge.md, "Messages".
 */
#ifndef ZL_GUEST_REQUESTS_H
#define ZL_GUEST_REQUESTS_H

#include <jansson.h>

#include "bridge/server.h"

/* The server's callback; the context is the agent. */
void request_serve(void *ctx, const struct zl_bridge_request *request);

/* A new object, or NULL when out of memory. */
json_t *request_capabilities(void);

#endif
