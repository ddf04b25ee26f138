/* SPDX-License-Identifier: Apache-2.0
 *
 * A deployment file as the list of containers that it asks for.
 */
#ifndef ZL_CLI_DEPLOY_H
#define ZL_CLI_DEPLOY_H

#include "cli/cli.h"

/* Label with the digest of the service that a container was made from. */
#define ZL_DIGEST_LABEL "zlayer.service-digest"

enum {
  ZL_SERVICE_DIGEST = 17
};

enum zl_unit_action {
  ZL_UNIT_CREATE,  /* there is none */
  ZL_UNIT_KEEP,    /* runs, and is what the file says */
  ZL_UNIT_REPLACE, /* runs or was created, and the file says something else now */
  ZL_UNIT_RENEW,   /* has ended */
  ZL_UNIT_ACTION_MAX_
};

struct zl_unit {
  const struct zl_service *service; /* of the deployment */
  uint32_t replica;
  char id[ZL_ID_TEXT];
  char digest[ZL_SERVICE_DIGEST];
  enum zl_unit_action action;
  bool made; /* by this call of `up` */
};

struct zl_units {
  struct zl_unit *items;
  size_t count;
};

/* One unit per replica, services after those they depend on, else in the order of the file.
 * ZL_E_INVALID: a circle. Free with zl_units_done. */
int zl_units_plan(const struct zl_deployment *deployment, struct zl_units *ret,
                  struct zl_error *err);
void zl_units_done(struct zl_units *units);
struct zl_unit *zl_units_find(const struct zl_units *units, const char *id);

/* Digest of everything that the file says about the service. */
int zl_service_digest(const struct zl_service *service, char digest[ZL_SERVICE_DIGEST],
                      struct zl_error *err);
/* The digest that a container was made from, "" when it has none. */
int zl_container_digest(struct zl_runtime *rt, const char *id, char digest[ZL_SERVICE_DIGEST],
                        struct zl_error *err);

/* Makes the services that `service` depends on known to it: adds host entries for their running
 * containers, by service name (the first replica) and by id. What it has itself comes first. No
 * effect without the overlay. */
int zl_service_add_names(struct zl_runtime *rt, const char *deployment, struct zl_service *service,
                         struct zl_error *err);

/* Reads a deployment file; the message of a wrong one says how to see all its errors. */
int zl_deploy_load(const char *path, struct zl_deployment **ret, struct zl_error *err);

#endif
