/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_OCI_DOCUMENT_H
#define ZL_OCI_DOCUMENT_H

#include "base/json.h"

/* The JSON that an option names: a file, or "-" for standard input. The caller owns *ret. */
int oci_document_read(const char *path, json_t **ret, struct zl_error *err);

#endif
