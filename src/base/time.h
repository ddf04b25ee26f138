/* SPDX-License-Identifier: Apache-2.0
 *
 * Times are uint64_t nanoseconds of a named clock.
 */
#ifndef ZL_BASE_TIME_H
#define ZL_BASE_TIME_H

#include <stdint.h>
#include <zlayer/error.h>

#define ZL_NS_PER_MS UINT64_C(1000000)
#define ZL_NS_PER_S  UINT64_C(1000000000)

enum {
  ZL_TIME_TEXT = 36,
  ZL_BOOT_ID_TEXT = 37
};

/* CLOCK_BOOTTIME: for timers and durations. */
uint64_t zl_time_boot(void);
/* Blocks for that long; a signal that is handled ends it early. */
void zl_time_pause(uint64_t ns);
/* CLOCK_REALTIME since 1970: for records that people read. */
uint64_t zl_time_wall(void);
/* RFC 3339 in UTC with nine digits: "2026-11-22T03:04:05.123456789Z". Returns `text`. */
const char *zl_time_format(uint64_t wall_ns, char text[ZL_TIME_TEXT]);
/* The inverse; also accepts fewer fraction digits and a "+hh:mm" offset. ZL_E_INVALID. */
int zl_time_parse(const char *text, uint64_t *ret_wall_ns, struct zl_error *err);
/* This boot's identity; facts recorded under another one are void. */
int zl_time_boot_id(char text[ZL_BOOT_ID_TEXT], struct zl_error *err);

#endif
