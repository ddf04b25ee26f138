/* SPDX-License-Identifier: Apache-2.0
 *
 * Two samples of a container and what follows from them.
 */
#ifndef ZL_CLI_STATS_H
#define ZL_CLI_STATS_H

#include "cli/cli.h"
#include "cli/table.h"

struct zl_stats_pair {
  char *id;               /* borrowed */
  bool has_before, valid; /* `now` was measured */
  struct zl_stats before, now;
};

/* CPU time used between the samples in per cent of one CPU; 0 with one sample only. */
double zl_stats_cpu_percent(const struct zl_stats_pair *pair);
json_t *zl_stats_json(const struct zl_stats_pair *pair);
int zl_stats_row(struct zl_table *table, const struct zl_stats_pair *pair, struct zl_error *err);

#endif
