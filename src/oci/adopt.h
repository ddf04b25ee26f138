/* SPDX-License-Identifier: Apache-2.0
 *
 * What a container takes over from who creates it, beside its document.
 */
#ifndef ZL_OCI_ADOPT_H
#define ZL_OCI_ADOPT_H

#include <stdint.h>

#include "base/json.h"
#include "engine/config.h"

struct oci_adopted {
  struct zl_idmap map;     /* of a user namespace without mappings */
  uint32_t *gids;          /* of the caller */
  char **env;              /* the document's and what is added; NULL: nothing is */
  struct zl_mount *mounts; /* likewise */
  char *notify_source;     /* of one of them */
};

void oci_adopted_done(struct oci_adopted *adopted);

/* Adds "NAME=value" to the environment of config->process. */
int oci_adopted_add_env(struct oci_adopted *adopted, struct zl_engine_config *config,
                        const char *variable, struct zl_error *err);

/* How many descriptors of systemd's socket activation there are: $LISTEN_FDS, 0 without one. They
 * follow standard error, before those of --preserve-fds. */
int oci_adopt_listeners(int64_t *ret, struct zl_error *err);

/* Changes the configuration; what it points to then lives as long as *adopted:
 * - a user namespace without mappings maps its root to the caller, and nobody else;
 * - with `listeners` the program is told of them (LISTEN_FDS, LISTEN_PID=1);
 * - with the annotation run.oci.keep_original_groups the first process has the caller's groups. */
int oci_adopt(struct zl_engine_config *config, const json_t *doc, int64_t listeners,
              struct oci_adopted *adopted, struct zl_error *err);

#endif
