/* SPDX-License-Identifier: Apache-2.0
 *
 * Merging a service with its image into a plan, and describing a plan for the database.
 */
#ifndef ZL_RUNTIME_PLAN_H
#define ZL_RUNTIME_PLAN_H

#include "runtime/node.h"

void zl_plan_done(struct zl_container_plan *plan);

/* Command, environment, working directory, user, host name, stop signal, network mode and layers.
 * The service was validated. ZL_E_INVALID: there is no command, or the image has an impossible
 * setting. ZL_E_WRONG_PLATFORM. */
int zl_plan_merge(struct zl_container_plan *plan, const struct zl_image *image,
                  struct zl_error *err);

/* The host directory of each volume, made when new (plan_volumes.c). Inside the transaction that
 * inserts the row: the rows of the volumes. */
int zl_plan_record_volumes(struct zl_runtime *rt, struct zl_store *store,
                           const struct zl_container_plan *plan, struct zl_error *err);
int zl_plan_make_volumes(struct zl_runtime *rt, struct zl_container_plan *plan,
                         struct zl_error *err);

/* What a shim is told of the log, as a new object; NULL: out of memory (plan_log.c). */
json_t *zl_plan_log(const struct zl_service *service);

/* The database's description of the container as JSON text (describe.c): what list, inspect, stop
 * and adopt need. The caller frees it. */
int zl_plan_describe(const struct zl_container_plan *plan, char **ret, struct zl_error *err);

/* What the other functions of this room need of a description. */
struct zl_description {
  int stop_signal;
  uint64_t stop_grace_ms;
  char **command;
  char *address, *link; /* NULL: none of its own */
  char *ports;          /* for display, or NULL */
};
int zl_description_parse(const char *config, struct zl_description *ret, struct zl_error *err);
void zl_description_done(struct zl_description *description);
#define zl_autodescription ZL_CLEANUP(zl_description_done) struct zl_description

#endif
