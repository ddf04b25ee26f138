/* SPDX-License-Identifier: Apache-2.0
 *
 * What every process of the machine is doing: for people, when something hangs.
 */
#ifndef ZL_GUEST_STACKS_H
#define ZL_GUEST_STACKS_H

#include <jansson.h>
#include <zlayer/error.h>

/* The answer to DumpStacks; the caller releases *ret. A text that is too long is cut off. */
int stacks_dump(json_t **ret, struct zl_error *err);

#endif
