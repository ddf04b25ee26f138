/* SPDX-License-Identifier: Apache-2.0
 *
 * The fields that documents may have: a table made from Microsoft's "HCS schema reference", apart
 * from the code that writes documents, and a reader that checks a document against it.
 */
#ifndef ZL_TEST_HCS_SCHEMA_H
#define ZL_TEST_HCS_SCHEMA_H

#include <jansson.h>
#include <stddef.h>

/* Checks that every member of an object of this type is in the table, of the right kind, not newer
 * than schema version 2.1, in the table's order, and neither empty, false nor 0; and the same of
 * everything in it. Writes what is wrong first, with its path ("$.Container.Memory"), and returns
 * false. */
int schema_check(const json_t *document, const char *type, char *why, size_t size);

/* The type of what a change's "Settings" are: by the host's path, by the guest's resource. NULL:
 * the path or resource is not known. "": a number. */
const char *schema_of_path(const char *path);
const char *schema_of_resource(const char *resource);

#endif
