/* SPDX-License-Identifier: Apache-2.0
 *
 * How a failure reaches the caller: on standard error, and as a line of the file it has named.
 */
#ifndef ZL_OCI_REPORT_H
#define ZL_OCI_REPORT_H

#include "oci/oci.h"

/* Writes the error to standard error and appends it to oci->log: as text, or as the JSON line that
 * containerd and Podman read ({"level","msg","time"}). A log that cannot be written is told on
 * standard error. */
void report_error(const struct oci *oci, const struct zl_error *failure);
/* oci->failed; without one 127, 126: the program is missing or cannot be executed; 1: all else. */
int report_exit_code(const struct oci *oci, const struct zl_error *failure);

/* Opens the file of --log, which its reader may wait for: with "file:" before it or without. */
int report_open(struct oci *oci, struct zl_error *err);
/* --debug: from now on each step is a line there, or of standard error. *oci must live on. */
void report_debug(struct oci *oci);

#endif
