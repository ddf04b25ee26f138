/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"

#include <fcntl.h>
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
