/* SPDX-License-Identifier: Apache-2.0
 *
 * Containers in machines of their own, as far as the commands know of them. zlayer-oci-vm has
 * src/oci/vm behind this; zlayer-oci has none.c, for which there are none.
 *
 * A process of the host stands for each process in a machine: it has the caller's streams, passes
 * signals on and ends as the one in the machine does.
 */
#ifndef ZL_OCI_MACHINE_H
#define ZL_OCI_MACHINE_H

#include "engine/container.h"
#include "oci/container.h"

/* To be called first in main: what of this program's place is needed later. */
int oci_machine_init(struct zl_error *err);

/* The name of this program. */
const char *oci_program(void);
/* Where its state directories are unless --root says. */
const char *oci_default_root(void);

/* Takes out of the features document what no machine can have. */
void oci_machine_restrict(json_t *features);

/* Whether the container of this document gets a machine. */
bool oci_machine_is_for(const json_t *doc);
/* Whether any does: documents are then read as they are. */
bool oci_machine_is_possible(void);

/* Whether this one has one. */
static inline bool oci_container_has_machine(const struct oci_container *c)
{
  return json_is_true(json_object_get(c->state, OCI_MACHINE));
}

/* What of the resources is the host's, for the processes of the machine. The caller frees *ret. */
int oci_machine_resources(const json_t *doc, struct zl_resources **ret, struct zl_error *err);

struct oci_machine_spec {
  const json_t *doc; /* config.json */
  const struct zl_engine_config *config;
  const char *rootfs; /* absolute */
  int bundle_fd;
  const char *state_json; /* for hooks */
  int64_t preserved_fds;
};

/* Makes the machine and the container in it, up to its start; blocks until that is done.
 * made->init is the process that stands for it, made->master its terminal on this host (-1: none).
 * ZL_E_UNSUPPORTED names the member that no machine can have. After an error no process is left. */
int oci_machine_create(struct oci_container *c, const struct oci_machine_spec *spec,
                       struct zl_container *made, struct zl_error *err);

/* Of a container whose standing process lives; nothing of it waits for long. */
enum oci_status oci_machine_status(const struct oci_container *c);
/* Blocks until the program has been executed. ZL_E_NO_COMMAND, ZL_E_NOT_EXECUTABLE. */
int oci_machine_start(const struct oci_container *c, struct zl_error *err);
int oci_machine_signal(const struct oci_container *c, int signal, struct zl_error *err);
int oci_machine_freeze(const struct oci_container *c, bool frozen, struct zl_error *err);

/* One more process; `process` is its OCI object. `adopt_size`: its terminal is born with the size
 * of ours. *child stands for it, *ret_master as above. */
int oci_machine_exec(const struct oci_container *c, json_t *process, bool adopt_size,
                     struct zl_child *child, int *ret_master, struct zl_error *err);

#endif
