/* SPDX-License-Identifier: Apache-2.0
 *
 * Readiness as systemd's services tell it (sd_notify): the container gets a socket of its own, and
 * what it says there is passed on to $NOTIFY_SOCKET, as runc and crun do it.
 */
#ifndef ZL_OCI_NOTIFY_H
#define ZL_OCI_NOTIFY_H

#include "oci/adopt.h"
#include "oci/container.h"

/* At creation, when $NOTIFY_SOCKET is a path: a directory of the container's state is mounted
 * there, and the program's NOTIFY_SOCKET is `notify` in it. Nothing happens otherwise. */
int oci_notify_prepare(const struct oci_container *c, struct zl_engine_config *config,
                       struct oci_adopted *adopted, struct zl_error *err);

/* Before the program is executed: makes its socket. *ret_fd is -1 when it has been promised none.
 */
int oci_notify_open(const struct oci_container *c, int *ret_fd, struct zl_error *err);

/* Blocks until the program has said READY=1, which is passed on, or has ended. */
void oci_notify_relay(int fd, int pidfd);
/* The same in a process of its own, which ends with the caller. */
void oci_notify_relay_beside(int fd, int pidfd);

#endif
