/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_OCI_CONSOLE_H
#define ZL_OCI_CONSOLE_H

#include <zlayer/error.h>

/* Sends the terminal's master to the unix stream socket at `path`, in one message with its name as
 * runc sends it, and closes *master. */
int oci_console_send(const char *path, int *master, struct zl_error *err);

#endif
