/* SPDX-License-Identifier: Apache-2.0
 *
 * Documents against the files of tests/data/hcs. The files are indented for readers; what counts
 * are their bytes without that.
 */
#ifndef ZL_TEST_HCS_VECTOR_H
#define ZL_TEST_HCS_VECTOR_H

#include <jansson.h>

#include "runtime/hcs/modify.h"

/* Fails the test unless the document is that of tests/data/hcs/NAME.json byte by byte and has only
 * fields of `type` (schema.h). Releases it. */
void check_vector(json_t *document, const char *name, const char *type);

/* The same of a change: {"host": …, "guest": …}. Clears it. */
void check_change(struct zl_hcs_modify *change, const char *name);

/* Fails the test if a file of tests/data/hcs was compared by no call. */
void check_vectors_used(const char *const *prefixes);

#endif
