/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_OCI_HOOKS_H
#define ZL_OCI_HOOKS_H

#include "engine/config.h"
#include "oci/container.h"

/* Runs the hooks of a phase that is the runtime's own (poststart, poststop), with the container's
 * state, `status` in it. Errors are those of zl_hooks_run; without hooks nothing happens. */
int oci_run_hooks(const struct oci_container *c, enum zl_hook_phase phase, enum oci_status status,
                  struct zl_error *err);

#endif
