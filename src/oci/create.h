/* SPDX-License-Identifier: Apache-2.0
 *
 * Making a container from a bundle, for `create` and `run`.
 */
#ifndef ZL_OCI_CREATE_H
#define ZL_OCI_CREATE_H

#include "engine/container.h"
#include "oci/container.h"
#include "oci/options.h"

struct oci_create {
  const char *bundle, *pid_file, *console_socket;
  const char *config; /* instead of the bundle's; NULL or "config.json": that one */
  int64_t preserved_fds;
  bool no_new_keyring;
};

enum {
  OCI_CREATE_OPTIONS = 8
};

/* The options of both commands, for `options`; returns how many. */
size_t oci_create_options(struct oci_create *create, struct oci_option *options);

/* Makes the container: its first process waits at the gate. On failure nothing is left. `made` has
 * the process, and the terminal's master when there is no console socket; the caller ends with
 * zl_container_leave. The lock is held in *c. */
int oci_create_container(const struct oci *oci, const char *id, const struct oci_create *create,
                         struct oci_container *c, struct zl_container *made, struct zl_error *err);

#endif
