/* SPDX-License-Identifier: Apache-2.0 */
#include "image/retry_after.h"

#include <string.h>
#include <time.h>

#include "base/strv.h"

/* Where it stands: d a digit, @ any character, anything else itself. */
static const char form[] = "@@@, dd @@@ dddd dd:dd:dd GMT";
enum {
  DAY = 5,
  MONTH = 8,
  YEAR = 12,
  HOUR = 17,
  MINUTE = 20,
  SECOND = 23
};

static bool has_form(const char *text)
{
  for (size_t i = 0; i < sizeof(form); i++) {
    const bool digit = text[i] >= '0' && text[i] <= '9';

    if (form[i] == 'd' ? !digit : form[i] == '@' ? text[i] == '\0' : text[i] != form[i])
      return false;
  }
  return true;
}

static int number(const char *text, int digits)
{
  int value = 0;

  for (int i = 0; i < digits; i++)
    value = 10 * value + (text[i] - '0');
  return value;
}

static bool take_month(const char *name, int *ret)
{
  static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

  for (int i = 0; i < 12; i++)
    if (memcmp(names + (size_t)3 * (size_t)i, name, 3) == 0) {
      *ret = i;
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
  time_t seconds;

  if (!has_form(text) || !take_month(text + MONTH, &t.tm_mon))
    return false;
  t.tm_mday = number(text + DAY, 2);
  t.tm_year = number(text + YEAR, 4) - 1900;
  t.tm_hour = number(text + HOUR, 2);
  t.tm_min = number(text + MINUTE, 2);
  t.tm_sec = number(text + SECOND, 2);
  if (!is_time(&t) || t.tm_year < 70)
    return false;
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
