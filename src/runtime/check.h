/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by the parts of the system check (check.c, check_rest.c).
 */
#ifndef ZL_RUNTIME_CHECK_H
#define ZL_RUNTIME_CHECK_H

#include <fcntl.h>

#include "base/strv.h"
#include "runtime/node.h"

struct zl_check {
  struct zl_runtime *rt;
  bool repair;
  zl_finding_fn fn; /* may be NULL */
  void *payload;
  size_t left;
  bool enough;    /* fn wants no more */
  bool strangers; /* containers exist whose layers no row names */
};

/* 0: go on, 1: the caller has enough. */
int zl_check_report(struct zl_check *check, const char *kind, const char *name, const char *detail,
                    bool repaired);

/* Directories of removals that were interrupted; rows of containers that are gone; lock files of
 * operations that were killed; bridge, links, leases and port rules; layers that nothing names.
 * Each returns as zl_check_report or an error. */
int zl_check_directories(struct zl_check *check, struct zl_error *err);
int zl_check_rows_alone(struct zl_check *check, struct zl_error *err);
int zl_check_locks(struct zl_check *check, struct zl_error *err);
int zl_check_network(struct zl_check *check, struct zl_error *err);
int zl_check_layers(struct zl_check *check, struct zl_error *err);

#endif
