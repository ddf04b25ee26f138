/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/fd.h"

static uint64_t now(clockid_t clock)
{
  struct timespec ts = { 0 };

  (void)clock_gettime(clock, &ts);
  return (uint64_t)ts.tv_sec * ZL_NS_PER_S + (uint64_t)ts.tv_nsec;
}

uint64_t zl_time_boot(void)
{
  return now(CLOCK_BOOTTIME);
}

uint64_t zl_time_wall(void)
{
  return now(CLOCK_REALTIME);
}

struct civil {
  int year, month, day;
};

/* gmtime(3) reads the file of the time zone first, which UTC does not need. The year begins in
 * March here, so that the leap day is its last; 719468 days lie between 0000-03-01 and 1970-01-01.
 */
static struct civil civil_from_days(int64_t days)
{
  int64_t shifted = days + 719468;
  int64_t era = shifted / 146097, of_era = shifted % 146097; /* of 400 years */
  int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
  int month = (int)((5 * of_year + 2) / 153); /* 0: March */

  return (struct civil){ .year = (int)(era * 400 + year + (month >= 10)),
                         .month = month + (month < 10 ? 3 : -9),
                         .day = (int)(of_year - (153 * month + 2) / 5 + 1) };
}

const char *zl_time_format(uint64_t wall_ns, char text[ZL_TIME_TEXT])
{
  uint64_t seconds = wall_ns / ZL_NS_PER_S;
  unsigned of_day = (unsigned)(seconds % 86400);
  struct civil date = civil_from_days((int64_t)(seconds / 86400));

  (void)snprintf(text, ZL_TIME_TEXT, "%04d-%02d-%02dT%02u:%02u:%02u.%09uZ", date.year % 10000,
                 date.month % 100, date.day % 100, of_day / 3600, of_day / 60 % 60, of_day % 60,
                 (unsigned)(wall_ns % ZL_NS_PER_S));
  return text;
}

/* "Z" or "+hh:mm": seconds east of UTC. */
static int parse_zone(const char *p, int64_t *ret)
{
  int h, m, used = 0;

  if (strcmp(p, "Z") == 0 || strcmp(p, "z") == 0) {
    *ret = 0;
    return 0;
  }
  if ((*p != '+' && *p != '-') || sscanf(p + 1, "%2d:%2d%n", &h, &m, &used) != 2 || // NOLINT
      used != 5 || p[6] != '\0' || h > 23 || m > 59)
    return -1;
  *ret = (int64_t)(h * 3600 + m * 60) * (*p == '-' ? -1 : 1);
  return 0;
}

int zl_time_parse(const char *text, uint64_t *ret_wall_ns, struct zl_error *err)
{
  struct tm tm = { 0 };
  uint64_t fraction = 0, unit = ZL_NS_PER_S;
  int64_t zone;
  int64_t seconds;
  const char *p = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);

  if (p == NULL)
    goto bad;
  if (*p == '.') {
    for (p++; *p >= '0' && *p <= '9' && unit > 1; p++) {
      unit /= 10;
      fraction += (uint64_t)(*p - '0') * unit;
    }
  }
  if (parse_zone(p, &zone) < 0)
    goto bad;
  seconds = (int64_t)timegm(&tm) - zone;
  if (seconds < 0)
    goto bad;
  *ret_wall_ns = (uint64_t)seconds * ZL_NS_PER_S + fraction;
  return 0;
bad:
  return zl_fail(err, ZL_E_INVALID, 0, "'%s' is not an RFC 3339 time such as 2026-01-31T12:00:00Z",
                 text);
}

int zl_time_boot_id(char text[ZL_BOOT_ID_TEXT], struct zl_error *err)
{
  zl_autobuf buf = ZL_BUF_INIT(256);
  int r = zl_file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", &buf, err);

  if (r < 0)
    return r;
  if (buf.len < ZL_BOOT_ID_TEXT - 1)
    return zl_fail(err, ZL_E_SYSTEM, 0, "the kernel's boot_id is too short");
  memcpy(text, buf.data, ZL_BOOT_ID_TEXT - 1);
  text[ZL_BOOT_ID_TEXT - 1] = '\0';
  return 0;
}
