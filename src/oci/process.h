/* SPDX-License-Identifier: Apache-2.0
 *
 * The process of an exec: a document of its own, or the container's with what the command line
 * says.
 */
#ifndef ZL_OCI_PROCESS_H
#define ZL_OCI_PROCESS_H

#include "base/json.h"
#include "engine/config.h"

struct oci_process {
  const char *file; /* a process document, "-" for standard input; NULL: by the rest */
  char **args;      /* borrowed, NULL-terminated */
  const char *cwd, *user;
  char **env, **gids, **caps; /* vectors, owned */
  bool tty, no_new_privileges;
};

/* The OCI process object; `config` is the container's document. The caller owns *ret. */
int oci_process_document(const struct oci_process *p, const json_t *config, json_t **ret,
                         struct zl_error *err);
/* The same, understood. ZL_E_INVALID names the option or the member. */
int oci_process_build(const struct oci_process *p, const json_t *config, struct zl_process **ret,
                      struct zl_error *err);
void oci_process_done(struct oci_process *p);

#endif
