/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_OCI_CONSOLE_H
#define ZL_OCI_CONSOLE_H

#include "engine/config.h"

/* Sends the terminal's master to the unix stream socket at `path`, in one message with its name as
 * runc sends it, and closes *master. */
int oci_console_send(const char *path, int *master, struct zl_error *err);

/* The program's terminal is born with the size of ours: changing it later would come too late for a
 * program that looks at once. Without a terminal of ours nothing is changed. */
void oci_console_adopt_size(struct zl_process *process);

#endif
