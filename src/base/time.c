/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

void zl_time_pause(uint64_t ns)
{
  const struct timespec span = { .tv_sec = (time_t)(ns / ZL_NS_PER_S),
                                 .tv_nsec = (long)(ns % ZL_NS_PER_S) };

  (void)nanosleep(&span, NULL);
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

/* The inverse of civil_from_days. */
static int64_t days_from_civil(const struct civil *c)
{
  int64_t year = c->year - (c->month <= 2), era = year / 400, of_era = year % 400;
  int64_t of_year = (153 * (c->month + (c->month > 2 ? -3 : 9)) + 2) / 5 + c->day - 1;

  return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* A number of exactly n digits from *p on, at most `max`, and the character behind it. */
static bool take(const char **p, int n, int max, char then, int *ret)
{
  *ret = 0;
  for (int i = 0; i < n; i++, (*p)++) {
    if (**p < '0' || **p > '9')
      return false;
    *ret = *ret * 10 + (**p - '0');
  }
  if (then != '\0' && *(*p)++ != then)
    return false;
  return *ret <= max;
}

/* "2026-11-22T04:04:05" from *p on, in seconds since 1970. */
static bool take_date_time(const char **p, int64_t *ret)
{
  struct civil c;
  int h, m, s;

  if (!take(p, 4, 9999, '-', &c.year) || !take(p, 2, 12, '-', &c.month) ||
      !take(p, 2, 31, 'T', &c.day) || !take(p, 2, 23, ':', &h) || !take(p, 2, 59, ':', &m) ||
      !take(p, 2, 60, '\0', &s) || c.month == 0 || c.day == 0)
    return false;
  *ret = days_from_civil(&c) * 86400 + (int64_t)h * 3600 + (int64_t)m * 60 + s;
  return true;
}

int zl_time_parse(const char *text, uint64_t *ret_wall_ns, struct zl_error *err)
{
  uint64_t fraction = 0, unit = ZL_NS_PER_S;
  int64_t seconds, zone;
  const char *p = text;

  if (!take_date_time(&p, &seconds))
    goto bad;
  if (*p == '.') {
    for (p++; *p >= '0' && *p <= '9' && unit > 1; p++) {
      unit /= 10;
      fraction += (uint64_t)(*p - '0') * unit;
    }
  }
  if (parse_zone(p, &zone) < 0)
    goto bad;
  seconds -= zone;
  if (seconds < 0)
    goto bad;
  *ret_wall_ns = (uint64_t)seconds * ZL_NS_PER_S + fraction;
  return 0;
bad:
  return zl_fail(err, ZL_E_INVALID, 0, "'%s' is not an RFC 3339 time such as 2026-01-31T12:00:00Z",
                 text);
}
