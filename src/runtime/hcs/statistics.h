/* SPDX-License-Identifier: Apache-2.0
 *
 * What the compute service, or a machine's guest, tells of a container's use of the host.
 */
#ifndef ZL_RUNTIME_HCS_STATISTICS_H
#define ZL_RUNTIME_HCS_STATISTICS_H

#include <jansson.h>
#include <zlayer/runtime.h>

/* The schema's Statistics among the properties asked for (ZL_HCS_ASK_STATISTICS). Times are in
 * units of 100 ns there. What Windows does not count is 0. ZL_E_INVALID naming the member. */
int zl_hcs_parse_statistics(const json_t *properties, struct zl_stats *ret, struct zl_error *err);

#endif
