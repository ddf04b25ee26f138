/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_SHIM_TEXT_H
#define ZL_SHIM_TEXT_H

#include <jansson.h>

/* A JSON string of `text`. Names and messages may quote bytes of the workload's choosing; what is
 * not UTF-8 is replaced, for a reply that cannot be rendered would be no reply. */
json_t *text_json(const char *text);

#endif
