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

const char *zl_time_format(uint64_t wall_ns, char text[ZL_TIME_TEXT])
{
  time_t seconds = (time_t)(wall_ns / ZL_NS_PER_S);
  struct tm tm;

  (void)gmtime_r(&seconds, &tm);
  (void)snprintf(text, ZL_TIME_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d.%09uZ",
                 (tm.tm_year + 1900) % 10000, (tm.tm_mon + 1) % 100, tm.tm_mday % 100,
                 tm.tm_hour % 100, tm.tm_min % 100, tm.tm_sec % 100,
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
