/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/hcs/zone.h"

#include <stdio.h>
#include <string.h>

enum {
  NAME = 32
};
#define ZONE_INVALID UINT32_MAX

static struct zl_rpc_time_zone_date date_of(const struct zl_win_time *time)
{
  return (struct zl_rpc_time_zone_date){ .year = time->year,
                                         .month = time->month,
                                         .day_of_week = time->day_of_week,
                                         .day = time->day,
                                         .hour = time->hour,
                                         .minute = time->minute,
                                         .second = time->second,
                                         .milliseconds = time->milliseconds };
}

/* A name of 32 characters has no NUL. */
static int name_of(const zl_wchar wide[NAME], char ret[ZL_HCS_ZONE_NAME], struct zl_error *err)
{
  zl_wchar copy[NAME + 1] = { 0 };
  zl_autofree char *text = NULL;
  int r;

  memcpy(copy, wide, NAME * sizeof(*wide));
  r = zl_wide_text(copy, NAME, &text, err);
  if (r == 0)
    (void)snprintf(ret, ZL_HCS_ZONE_NAME, "%s", text);
  return r;
}

int zl_hcs_zone_of(const struct zl_hcs_api *api, struct zl_hcs_zone *ret, struct zl_error *err)
{
  struct zl_win_zone zone = { 0 };
  int r;

  if (api->GetTimeZoneInformation(&zone) == ZONE_INVALID)
    return zl_hcs_fail_last(api, err, "asking for the time zone");
  r = name_of(zone.standard_name, ret->standard, err);
  if (r == 0)
    r = name_of(zone.daylight_name, ret->daylight, err);
  if (r < 0)
    return r;
  ret->zone = (struct zl_rpc_time_zone){ .bias = zone.bias,
                                         .standard_bias = zone.standard_bias,
                                         .daylight_bias = zone.daylight_bias,
                                         .standard_name = ret->standard,
                                         .daylight_name = ret->daylight,
                                         .standard_date = date_of(&zone.standard_date),
                                         .daylight_date = date_of(&zone.daylight_date) };
  return 0;
}
