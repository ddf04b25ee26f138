/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"

#include <windows.h>
#include <winternl.h>

enum {
  TICK_NS = 100,
  BOOT_ID = 0x2C4, /* KUSER_SHARED_DATA.BootId, which each start of Windows counts up */
  BOOT_TIME_MIN = 48
};
static const uint64_t EPOCH_TICKS = UINT64_C(116444736000000000); /* from 1601 to 1970 */
/* Where every process sees KUSER_SHARED_DATA. */
static const uintptr_t SHARED_DATA = 0x7FFE0000;

/* The counter goes on while the machine sleeps. */
uint64_t zl_time_boot(void)
{
  LARGE_INTEGER now, per_second;

  (void)QueryPerformanceCounter(&now);
  (void)QueryPerformanceFrequency(&per_second);
  return (uint64_t)(now.QuadPart / per_second.QuadPart) * ZL_NS_PER_S +
         (uint64_t)(now.QuadPart % per_second.QuadPart) * ZL_NS_PER_S /
             (uint64_t)per_second.QuadPart;
}

uint64_t zl_time_wall(void)
{
  FILETIME now;

  GetSystemTimePreciseAsFileTime(&now);
  return ((((uint64_t)now.dwHighDateTime << 32) | now.dwLowDateTime) - EPOCH_TICKS) * TICK_NS;
}

/* SystemTimeOfDayInformation; a set clock moves both of these alike. */
struct time_of_day {
  int64_t boot_time, now, zone_bias;
  uint32_t zone, reserved;
  uint64_t boot_time_bias, sleep_time_bias;
};

/* When Windows was started, and how often it has been: no other start of this machine has both. */
int zl_time_boot_id(char text[ZL_BOOT_ID_TEXT], struct zl_error *err)
{
  const volatile uint32_t *count = (const volatile uint32_t *)(SHARED_DATA + BOOT_ID);
  struct time_of_day info = { 0 };
  NTSTATUS status = NtQuerySystemInformation(SystemTimeOfDayInformation, &info, sizeof(info), NULL);
  uint64_t start;

  if (status < 0)
    return zl_fail(err, ZL_E_SYSTEM, (int)status, "asking when Windows was started");
  start = (uint64_t)info.boot_time - info.boot_time_bias;
  (void)snprintf(text, ZL_BOOT_ID_TEXT, "%08x-%04x-%04x-%04x-%012x", (unsigned)(start >> 32),
                 (unsigned)(start >> 16) & 0xFFFF, (unsigned)start & 0xFFFF, 0, (unsigned)*count);
  return 0;
}
