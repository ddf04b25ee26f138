/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/hcs/statistics.h"

#include "base/json.h"
#include "base/time.h"

enum {
  UNIT_NS = 100
};

/* A member of "Statistics"."part"; times too large for nanoseconds are cut. */
static int read_number(const json_t *statistics, const char *part, const char *key, int64_t unit,
                       uint64_t *ret, struct zl_error *err)
{
  json_t *object = NULL;
  int64_t number = 0;
  int r = zl_json_get_object(statistics, "Statistics", part, &object, err);

  if (r == 0)
    r = zl_json_get_int(object, part, key, 0, INT64_MAX, 0, &number, err);
  if (r < 0)
    return r;
  *ret = number > INT64_MAX / unit ? (uint64_t)INT64_MAX : (uint64_t)(number * unit);
  return 0;
}

static uint64_t read_time(const json_t *statistics)
{
  const char *text = json_string_value(json_object_get(statistics, "Timestamp"));
  uint64_t time = 0;

  return text != NULL && zl_time_parse(text, &time, NULL) == 0 ? time : zl_time_wall();
}

int zl_hcs_parse_statistics(const json_t *properties, struct zl_stats *ret, struct zl_error *err)
{
  struct zl_stats stats = { 0 };
  const struct {
    const char *part, *key;
    int64_t unit;
    uint64_t *to;
  } members[] = {
    { "Processor", "TotalRuntime100ns", UNIT_NS, &stats.cpu_usage_ns },
    { "Processor", "RuntimeKernel100ns", UNIT_NS, &stats.cpu_system_ns },
    { "Memory", "MemoryUsagePrivateWorkingSetBytes", 1, &stats.memory_bytes },
    { "Storage", "ReadSizeBytes", 1, &stats.block_read_bytes },
    { "Storage", "WriteSizeBytes", 1, &stats.block_write_bytes },
  };
  json_t *statistics = NULL;
  int r = zl_json_get_object(properties, "properties", "Statistics", &statistics, err);

  if (r == 0 && statistics == NULL)
    return zl_fail(err, ZL_E_INVALID, 0, "the compute service gave no Statistics");
  for (size_t i = 0; r == 0 && i < ZL_COUNT(members); i++)
    r = read_number(statistics, members[i].part, members[i].key, members[i].unit, members[i].to,
                    err);
  if (r < 0)
    return r;
  stats.time_ns = read_time(statistics);
  *ret = stats;
  return 0;
}
