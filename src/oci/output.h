/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_OCI_OUTPUT_H
#define ZL_OCI_OUTPUT_H

#include "base/json.h"

/* Prints the document (NULL: out of memory) and a newline on standard output, which is flushed:
 * ZL_E_SYSTEM when it cannot be written. */
int oci_print_json(const json_t *doc, bool pretty, struct zl_error *err);

#endif
