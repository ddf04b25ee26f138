/* SPDX-License-Identifier: Apache-2.0
 *
 * A container that gets this program executed inside it ("#!/proc/self/exe" in place of the
 * command) can open its file by /proc/<pid>/exe, and write to it once it is not executed any more:
 * on the host, as root (CVE-2019-5736).
 */
#ifndef ZL_OCI_PROTECT_H
#define ZL_OCI_PROTECT_H

#include <zlayer/error.h>

/* Returns 0 when this program runs from where nobody can write to its file: a read-only mount, or
 * a file that is immutable or not writable for us. Otherwise executes the file anew through a
 * read-only mount of it alone, with the same arguments. */
int oci_protect(char **argv, struct zl_error *err);

#endif
