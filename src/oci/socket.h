/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_OCI_SOCKET_H
#define ZL_OCI_SOCKET_H

#include <zlayer/error.h>

/* Sends one descriptor with `text` to whoever listens at the unix socket `path`, of any length.
 * `what` names it in errors. */
int oci_socket_send(const char *what, const char *path, const char *text, int fd,
                    struct zl_error *err);

#endif
