/* SPDX-License-Identifier: Apache-2.0
 *
 * Durations, sizes and CPUs as texts.
 */
#include <string.h>

#include "base/strv.h"
#include "base/time.h"
#include "spec/units.h"

struct unit {
  const char *name;
  uint64_t factor;
};

/* Largest first: rendering takes the first that divides. */
static const struct unit durations[] = {
  { "d", 86400 * ZL_NS_PER_S },
  { "h", 3600 * ZL_NS_PER_S },
  { "m", 60 * ZL_NS_PER_S },
  { "s", ZL_NS_PER_S },
  { "ms", ZL_NS_PER_MS },
  { "us", 1000 },
  { "ns", 1 },
};

static const struct unit sizes[] = {
  { "Ti", UINT64_C(1) << 40 },
  { "Gi", UINT64_C(1) << 30 },
  { "Mi", UINT64_C(1) << 20 },
  { "Ki", UINT64_C(1) << 10 },
  { "T", 1000000000000 },
  { "G", 1000000000 },
  { "M", 1000000 },
  { "K", 1000 },
  { "", 1 },
};

/* The whole number at *p, which moves past it. */
static bool take_number(const char **p, uint64_t *ret)
{
  uint64_t value = 0;
  const char *start = *p;

  for (; **p >= '0' && **p <= '9'; (*p)++)
    if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
        __builtin_add_overflow(value, (uint64_t)(**p - '0'), &value))
      return false;
  *ret = value;
  return *p > start;
}

static const struct unit *find_unit(const struct unit *units, size_t count, const char *name,
                                    size_t len)
{
  for (size_t i = 0; i < count; i++)
    if (strlen(units[i].name) == len && memcmp(units[i].name, name, len) == 0)
      return &units[i];
  return NULL;
}

/* Adds one "<n><unit>" at *p to *total. */
static bool take_duration(const char **p, uint64_t *total)
{
  const struct unit *unit;
  uint64_t value;
  size_t len;

  if (!take_number(p, &value))
    return false;
  len = strspn(*p, "abcdefghijklmnopqrstuvwxyz");
  unit = find_unit(durations, ZL_COUNT(durations), *p, len);
  if (unit == NULL || __builtin_mul_overflow(value, unit->factor, &value))
    return false;
  *p += len;
  return !__builtin_add_overflow(*total, value, total);
}

int zl_duration_parse(const char *text, uint64_t *ret_ns, struct zl_error *err)
{
  const char *p = text;
  uint64_t total = 0;

  do {
    if (!take_duration(&p, &total))
      return zl_fail(err, ZL_E_INVALID, 0,
                     "expected a duration such as 500ms, 30s or 1m30s, found '%s'", text);
    p += strspn(p, " ");
  } while (*p != '\0');
  *ret_ns = total;
  return 0;
}

int zl_memory_parse(const char *text, uint64_t *ret_bytes, struct zl_error *err)
{
  const char *p = text;
  const struct unit *unit;
  uint64_t value;

  if (take_number(&p, &value)) {
    unit = find_unit(sizes, ZL_COUNT(sizes), p, strlen(p));
    if (unit != NULL && value > 0 && !__builtin_mul_overflow(value, unit->factor, &value) &&
        value <= INT64_MAX) {
      *ret_bytes = value;
      return 0;
    }
  }
  return zl_fail(
      err, ZL_E_INVALID, 0,
      "expected a size of at least 1 such as 512Mi (Ki, Mi, Gi, Ti; K, M, G, T for powers "
      "of 1000; or bytes), found '%s'",
      text);
}

int zl_cpu_parse(const char *text, double *ret, struct zl_error *err)
{
  double value = 0, scale = 1;
  const char *p = text;
  bool digits = false, fraction = false;

  for (; (*p >= '0' && *p <= '9') || (*p == '.' && !fraction); p++) {
    if (*p == '.') {
      fraction = true;
      continue;
    }
    digits = true;
    value = value * 10 + (*p - '0');
    scale *= fraction ? 10 : 1;
  }
  value /= scale;
  if (!digits || *p != '\0' || !zl_cpu_is_valid(value))
    return zl_fail(err, ZL_E_INVALID, 0, "expected a number of CPUs from 0.01 to 8192, found '%s'",
                   text);
  *ret = value;
  return 0;
}

bool zl_cpu_is_valid(double cpu)
{
  return cpu >= 0.01 && cpu <= 8192;
}

int zl_duration_render(uint64_t ns, struct zl_buf *buf, struct zl_error *err)
{
  for (size_t i = 0; i < ZL_COUNT(durations); i++)
    if (ns != 0 && ns % durations[i].factor == 0)
      return zl_buf_printf(buf, err, "%llu%s", (unsigned long long)(ns / durations[i].factor),
                           durations[i].name);
  return zl_buf_puts(buf, "0s", err);
}

int zl_memory_render(uint64_t bytes, struct zl_buf *buf, struct zl_error *err)
{
  for (size_t i = 0; i < 4; i++)
    if (bytes != 0 && bytes % sizes[i].factor == 0)
      return zl_buf_printf(buf, err, "%llu%s", (unsigned long long)(bytes / sizes[i].factor),
                           sizes[i].name);
  return zl_buf_printf(buf, err, "%llu", (unsigned long long)bytes);
}
