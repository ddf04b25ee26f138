/* SPDX-License-Identifier: Apache-2.0
 *
 * Containers as listings show them.
 */
#ifndef ZL_CLI_CONTAINERS_H
#define ZL_CLI_CONTAINERS_H

#include "cli/cli.h"

/* One entry of `ps --json`; NULL when out of memory. */
json_t *zl_container_json(const struct zl_container_info *info);

/* The option `filter` of `args`: "KEY=TEXT" with key deployment, service, state, name or image.
 * ZL_E_INVALID: not such a text, or no such state. */
int zl_filters_check(const struct zl_args *args, struct zl_error *err);
/* True when, for each key that was given, one of its texts fits. deployment, service and state are
 * compared whole, name and image by part. */
bool zl_filters_match(const struct zl_args *args, const struct zl_container_info *info);
/* True when a filter with this key was given. */
bool zl_filters_have(const struct zl_args *args, const char *key);

/* True for a container that has a running workload. */
static inline bool zl_container_runs(const struct zl_container_info *info)
{
  return info->state.state == ZL_STATE_RUNNING || info->state.state == ZL_STATE_STOPPING;
}
static inline bool zl_container_has_ended(const struct zl_container_info *info)
{
  return info->state.state == ZL_STATE_EXITED || info->state.state == ZL_STATE_FAILED;
}

#endif
