/* SPDX-License-Identifier: Apache-2.0 */
#include "image/retry_after.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/strv.h"

static bool take_month(const char *name, int *ret)
{
  static const char *const names[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

  for (size_t i = 0; i < ZL_COUNT(names); i++)
    if (strcmp(names[i], name) == 0) {
      *ret = (int)i;
      return true;
    }
  return false;
}

static bool is_time(const struct tm *t)
{
  return t->tm_mday >= 1 && t->tm_mday <= 31 && t->tm_hour >= 0 && t->tm_hour <= 23 &&
         t->tm_min >= 0 && t->tm_min <= 59 && t->tm_sec >= 0 && t->tm_sec <= 60;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT", the only form that is still to be written. */
static bool parse_date(const char *text, uint64_t *ret_s)
{
  struct tm t = { 0 };
  char month[4] = { 0 };
  int year = 0, end = 0;
  time_t seconds;

  if (sscanf(text, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n", &t.tm_mday, month, &year,
             &t.tm_hour, &t.tm_min, &t.tm_sec, &end) != 6 ||
      end == 0 || text[end] != '\0' || year < 1970 || !take_month(month, &t.tm_mon) || !is_time(&t))
    return false;
  t.tm_year = year - 1900;
  seconds = timegm(&t);
  *ret_s = seconds > 0 ? (uint64_t)seconds : 0;
  return true;
}

bool zl_retry_after_parse(const char *text, uint64_t now_s, uint64_t *ret_seconds)
{
  uint64_t date;

  if (zl_parse_u64(text, UINT32_MAX, ret_seconds))
    return true;
  if (!parse_date(text, &date))
    return false;
  *ret_seconds = date > now_s ? date - now_s : 0;
  return true;
}
