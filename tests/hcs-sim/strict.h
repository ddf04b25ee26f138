/* SPDX-License-Identifier: Apache-2.0
 *
 * Documents as the services take them: no field that they do not know, none of another type.
 */
#ifndef HCS_SIM_STRICT_H
#define HCS_SIM_STRICT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* False: `why` names the path and what is wrong there ("$.A.B[0].C: …"). "*" takes everything. */
bool sim_strict(const json_t *document, const char *type, char *why, size_t size);
/* The type of a change's Settings by the host's path ("": a number) or the guest's resource; NULL:
 * there is no such path or resource. */
const char *sim_strict_of_path(const char *path);
const char *sim_strict_of_resource(const char *resource);

#endif
