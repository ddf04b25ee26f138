/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_SHIM_STATS_H
#define ZL_SHIM_STATS_H

#include <jansson.h>
#include <zlayer/runtime.h>

/* "stats" of an answer (docs/shim.md), with the time of now. NULL: no memory. Not for containers of
 * the engine: its types and the public ones do not go together (process/group.c). */
json_t *stats_render(const struct zl_stats *stats);

#endif
