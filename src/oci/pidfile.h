/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_OCI_PIDFILE_H
#define ZL_OCI_PIDFILE_H

#include <sys/types.h>
#include <zlayer/error.h>

/* Writes the decimal number without a newline to `path`; readers see all of it or nothing. */
int oci_pidfile_write(const char *path, pid_t pid, struct zl_error *err);

#endif
