/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_OCI_START_H
#define ZL_OCI_START_H

#include "oci/container.h"

/* Executes the program of a created container and blocks until that has succeeded. The lock is
 * held. ZL_E_CONFLICT: it is not created; ZL_E_NO_COMMAND, ZL_E_NOT_EXECUTABLE. When a
 * poststart hook fails it is set in *ret, and the container is the caller's to destroy. */
struct oci_started {
  bool hook_failed;
  int notify_fd; /* of oci_notify_open, the caller's; -1 */
};
int oci_start_container(struct oci_container *c, struct oci_started *ret, struct zl_error *err);

#endif
