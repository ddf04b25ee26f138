/* SPDX-License-Identifier: Apache-2.0
 *
 * The header Retry-After: a number of seconds, or a date (RFC 9110, 10.2.3).
 */
#ifndef ZL_IMAGE_RETRY_AFTER_H
#define ZL_IMAGE_RETRY_AFTER_H

#include <stdbool.h>
#include <stdint.h>

/* How long it asks to wait, from `now_s` (CLOCK_REALTIME) on; 0 for a date that has passed. False:
 * it says nothing that can be understood. Pure. */
bool zl_retry_after_parse(const char *text, uint64_t now_s, uint64_t *ret_seconds);

#endif
