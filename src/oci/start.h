/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_OCI_START_H
#define ZL_OCI_START_H

#include "oci/container.h"

/* Executes the program of a created container and blocks until that has succeeded. The lock is
 * held. ZL_E_CONFLICT: it is not created; ZL_E_NO_COMMAND, ZL_E_NOT_EXECUTABLE. When a
 * poststart hook fails *ret_hook_failed is set, and the container is the caller's to destroy. */
int oci_start_container(struct oci_container *c, bool *ret_hook_failed, struct zl_error *err);

#endif
