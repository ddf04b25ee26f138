/* SPDX-License-Identifier: Apache-2.0
 *
 * The syntax of a schedule: second minute hour day-of-month month day-of-week year. Each field is a
 * list of '*', '?', values and ranges, each with an optional '/step'.
 */
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "spec/rules.h"

struct part {
  const char *name;
  unsigned min, max;
  const char *names; /* of the values from `min` on, three letters each */
};

static const struct part parts[] = {
  { "second", 0, 59, NULL },
  { "minute", 0, 59, NULL },
  { "hour", 0, 23, NULL },
  { "day of the month", 1, 31, NULL },
  { "month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec" },
  { "day of the week (1 is Sunday)", 1, 7, "sunmontuewedthufrisat" },
  { "year", 1970, 2100, NULL },
};

static bool take_number(const char **p, const char *end, unsigned *ret)
{
  const char *start = *p;
  unsigned value = 0;

  for (; *p < end && **p >= '0' && **p <= '9' && *p - start < 6; (*p)++)
    value = value * 10 + (unsigned)(**p - '0');
  *ret = value;
  return *p > start;
}

static bool take_name(const struct part *part, const char **p, const char *end, unsigned *ret)
{
  if (part->names == NULL || end - *p < 3)
    return false;
  for (unsigned i = 0; part->names[i] != '\0'; i += 3) {
    if (strncasecmp(*p, part->names + i, 3) != 0)
      continue;
    *p += 3;
    *ret = part->min + i / 3;
    return true;
  }
  return false;
}

static bool take_value(const struct part *part, const char **p, const char *end, unsigned *ret)
{
  return (take_name(part, p, end, ret) || take_number(p, end, ret)) && *ret >= part->min &&
         *ret <= part->max;
}

/* One of the comma-separated elements. */
static bool is_element(const struct part *part, const char *p, const char *end)
{
  unsigned first, last, step;

  if (p < end && (*p == '*' || *p == '?')) {
    p++;
  } else {
    if (!take_value(part, &p, end, &first))
      return false;
    if (p < end && *p == '-') {
      p++;
      if (!take_value(part, &p, end, &last) || last < first)
        return false;
    }
  }
  if (p < end && *p == '/') {
    p++;
    if (!take_number(&p, end, &step) || step == 0 || step > part->max)
      return false;
  }
  return p == end;
}

static bool is_part(const struct part *part, const char *p, const char *end)
{
  while (true) {
    const char *comma = memchr(p, ',', (size_t)(end - p));

    if (!is_element(part, p, comma != NULL ? comma : end))
      return false;
    if (comma == NULL)
      return true;
    p = comma + 1;
  }
}

void zl_check_cron(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *value)
{
  const char *text = value, *p = text;
  size_t count = 0;

  p += strspn(p, " ");
  for (; *p != '\0'; p += strspn(p, " ")) {
    size_t len = strcspn(p, " ");

    if (count < ZL_COUNT(parts) && !is_part(&parts[count], p, p + len)) {
      zl_report(ctx, at, ZL_E_INVALID, "'%.*s' is not a %s from %u to %u", (int)len, p,
                parts[count].name, parts[count].min, parts[count].max);
      return;
    }
    count++;
    p += len;
  }
  if (count != ZL_COUNT(parts))
    zl_report(ctx, at, ZL_E_INVALID,
              "expected 7 fields (second minute hour day month weekday year), found %zu", count);
}
