/* SPDX-License-Identifier: Apache-2.0
 *
 * zlayer-oci: no container has a machine. One of zlayer-oci-vm can be seen here when both are given
 * the same root.
 */
#include "oci/machine.h"

int oci_machine_init(struct zl_error *err)
{
  (void)err;
  return 0;
}

const char *oci_program(void)
{
  return "zlayer-oci";
}

const char *oci_default_root(void)
{
  return "/run/zlayer-oci";
}

void oci_machine_restrict(json_t *features)
{
  (void)features;
}

bool oci_machine_is_for(const json_t *doc)
{
  (void)doc;
  return false;
}

bool oci_machine_is_possible(void)
{
  return false;
}

static int not_ours(struct zl_error *err)
{
  return zl_fail(err, ZL_E_UNSUPPORTED, 0, "the container is in a machine: use zlayer-oci-vm");
}

int oci_machine_resources(const json_t *doc, struct zl_resources **ret, struct zl_error *err)
{
  (void)doc;
  (void)ret;
  return not_ours(err);
}

int oci_machine_create(struct oci_container *c, const struct oci_machine_spec *spec,
                       struct zl_container *made, struct zl_error *err)
{
  (void)c;
  (void)spec;
  (void)made;
  return not_ours(err);
}

/* More than that its standing process lives is not known here. */
enum oci_status oci_machine_status(const struct oci_container *c)
{
  (void)c;
  return OCI_RUNNING;
}

int oci_machine_start(const struct oci_container *c, struct zl_error *err)
{
  (void)c;
  return not_ours(err);
}

int oci_machine_signal(const struct oci_container *c, int signal, struct zl_error *err)
{
  (void)c;
  (void)signal;
  return not_ours(err);
}

int oci_machine_freeze(const struct oci_container *c, bool frozen, struct zl_error *err)
{
  (void)c;
  (void)frozen;
  return not_ours(err);
}

int oci_machine_exec(const struct oci_container *c, json_t *process, bool adopt_size,
                     struct zl_child *child, int *ret_master, struct zl_error *err)
{
  (void)c;
  (void)process;
  (void)adopt_size;
  (void)child;
  (void)ret_master;
  return not_ours(err);
}
