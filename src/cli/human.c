/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/human.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/time.h"

const char *zl_human_size(uint64_t bytes, char text[ZL_HUMAN_TEXT])
{
  static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
  double value = (double)bytes;
  size_t unit = 0;

  /* 999.5 would be printed as 1000: the next unit has a shorter text for it. */
  while (value >= 999.5 && unit + 1 < ZL_COUNT(units)) {
    value /= 1024;
    unit++;
  }
  (void)snprintf(text, ZL_HUMAN_TEXT, unit > 0 && value < 9.95 ? "%.1f %s" : "%.0f %s", value,
                 units[unit]);
  return text;
}

const char *zl_human_duration(uint64_t ns, char text[ZL_HUMAN_TEXT])
{
  static const struct {
    uint64_t seconds;
    const char *name;
  } units[] = { { 31536000, "year" }, { 2592000, "month" }, { 604800, "week" }, { 86400, "day" },
                { 3600, "hour" },     { 60, "minute" },     { 1, "second" } };
  uint64_t seconds = ns / ZL_NS_PER_S, n;
  size_t i = 0;

  while (i + 1 < ZL_COUNT(units) && seconds < units[i].seconds)
    i++;
  n = seconds / units[i].seconds;
  (void)snprintf(text, ZL_HUMAN_TEXT, "%llu %s%s", (unsigned long long)n, units[i].name,
                 n == 1 ? "" : "s");
  return text;
}

const char *zl_human_ago(uint64_t wall_ns, uint64_t now_wall_ns, char text[ZL_HUMAN_TEXT])
{
  char duration[ZL_HUMAN_TEXT];

  if (wall_ns == 0)
    (void)snprintf(text, ZL_HUMAN_TEXT, "never");
  else if (wall_ns + ZL_NS_PER_S > now_wall_ns)
    (void)snprintf(text, ZL_HUMAN_TEXT, "now");
  else
    (void)snprintf(text, ZL_HUMAN_TEXT, "%s ago",
                   zl_human_duration(now_wall_ns - wall_ns, duration));
  return text;
}

const char *zl_human_digest(const char *digest, char text[ZL_HUMAN_TEXT])
{
  const char *hex = digest != NULL ? strchr(digest, ':') : NULL;

  if (digest == NULL)
    digest = "";
  (void)snprintf(text, ZL_HUMAN_TEXT, "%.*s",
                 hex != NULL ? (int)(hex - digest) + 1 + 12 : ZL_HUMAN_TEXT - 1, digest);
  return text;
}

static void status_of_end(const struct zl_container_state *state, uint64_t now,
                          char text[ZL_STATUS_TEXT])
{
  char ago[ZL_HUMAN_TEXT];
  const char *oom = state->outcome.reason == ZL_EXIT_OOM_KILLED ? ", out of memory" : "";

  (void)snprintf(text, ZL_STATUS_TEXT, "exited (%d%s) %s", state->outcome.exit_code, oom,
                 zl_human_ago(state->outcome.finished_at_ns, now, ago));
}

const char *zl_human_status(const struct zl_container_info *info, uint64_t now_wall_ns,
                            char text[ZL_STATUS_TEXT])
{
  const struct zl_container_state *state = &info->state;
  uint64_t up = now_wall_ns > info->started_at_ns ? now_wall_ns - info->started_at_ns : 0;
  char duration[ZL_HUMAN_TEXT];

  switch (state->state) {
  case ZL_STATE_RUNNING:
    (void)snprintf(text, ZL_STATUS_TEXT, "running %s%s", zl_human_duration(up, duration),
                   state->paused ? " (paused)" : "");
    break;
  case ZL_STATE_EXITED:
    status_of_end(state, now_wall_ns, text);
    break;
  case ZL_STATE_FAILED:
    (void)snprintf(text, ZL_STATUS_TEXT, "failed: %s", state->reason);
    break;
  case ZL_STATE_INITIALIZING:
    (void)snprintf(text, ZL_STATUS_TEXT, "created");
    break;
  case ZL_STATE_PENDING:
  case ZL_STATE_STOPPING:
    (void)snprintf(text, ZL_STATUS_TEXT, "%s", zl_state_name(state->state));
    break;
  }
  return text;
}

/* Digits up to the first other character; false on overflow or when there are none. */
static bool take_number(const char **text, uint64_t *ret)
{
  uint64_t value = 0;

  if (!isdigit((unsigned char)**text))
    return false;
  for (; isdigit((unsigned char)**text); (*text)++)
    if (__builtin_mul_overflow(value, 10, &value) ||
        __builtin_add_overflow(value, (uint64_t)(**text - '0'), &value))
      return false;
  *ret = value;
  return true;
}

static uint64_t unit_seconds(char unit)
{
  switch (unit) {
  case 's':
    return 1;
  case 'm':
    return 60;
  case 'h':
    return 3600;
  case 'd':
    return 86400;
  default:
    return 0;
  }
}

static bool parse_back(const char *text, uint64_t *ret_ns)
{
  uint64_t total = 0, number, part;

  if (*text == '\0')
    return false;
  while (*text != '\0') {
    if (!take_number(&text, &number) || unit_seconds(*text) == 0)
      return false;
    if (__builtin_mul_overflow(number, unit_seconds(*text++) * ZL_NS_PER_S, &part) ||
        __builtin_add_overflow(total, part, &total))
      return false;
  }
  *ret_ns = total;
  return true;
}

static bool parse_epoch(const char *text, uint64_t *ret_ns)
{
  uint64_t seconds, fraction = 0, scale = ZL_NS_PER_S;

  if (!take_number(&text, &seconds))
    return false;
  if (*text == '.')
    for (text++; isdigit((unsigned char)*text) && scale > 1; text++) {
      scale /= 10;
      fraction += (uint64_t)(*text - '0') * scale;
    }
  if (*text != '\0' || __builtin_mul_overflow(seconds, ZL_NS_PER_S, &seconds) ||
      __builtin_add_overflow(seconds, fraction, &seconds))
    return false;
  *ret_ns = seconds;
  return true;
}

int zl_human_parse_time(const char *text, uint64_t now_wall_ns, uint64_t *ret_wall_ns,
                        struct zl_error *err)
{
  uint64_t ns;

  if (parse_back(text, &ns)) {
    *ret_wall_ns = ns < now_wall_ns ? now_wall_ns - ns : 1;
    return 0;
  }
  if (parse_epoch(text, ret_wall_ns) || zl_time_parse(text, ret_wall_ns, NULL) == 0)
    return 0;
  return zl_fail(err, ZL_E_INVALID, 0,
                 "'%s' is no time: use 2026-01-31T12:00:00Z, seconds since 1970, or 10m, 2h back",
                 text);
}
