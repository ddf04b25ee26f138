/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>
#include <x86intrin.h>

#include "base/time.h"
#include "vmm/accel.h"

enum {
  MEASURE_MS = 50,
  TRIES = 8,
  MIN_KHZ = 100000, /* slower processors have no TSC worth the name */
  MAX_KHZ = 100000000
};

struct moment {
  uint64_t tsc, ns;
};

/* The reading that was disturbed least. */
static int read_both(struct moment *ret)
{
  uint64_t best = UINT64_MAX;

  for (int i = 0; i < TRIES; i++) {
    struct timespec now;
    uint64_t before = __rdtsc(), after;

    if (clock_gettime(CLOCK_MONOTONIC_RAW, &now) < 0)
      return -errno;
    after = __rdtsc();
    if (after - before >= best)
      continue;
    best = after - before;
    *ret = (struct moment){ .tsc = before + best / 2,
                            .ns = (uint64_t)now.tv_sec * ZL_NS_PER_S + (uint64_t)now.tv_nsec };
  }
  return 0;
}

int zl_tsc_measure(uint64_t *ret_khz, struct zl_error *err)
{
  const struct timespec pause = { .tv_nsec = MEASURE_MS * 1000000L };
  struct moment from, to;
  uint64_t khz;
  int r = read_both(&from);

  if (r == 0) {
    /* Interrupted it is a shorter measurement, which is checked below. */
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    r = read_both(&to);
  }
  if (r < 0)
    return zl_fail(err, ZL_E_SYSTEM, -r, "reading CLOCK_MONOTONIC_RAW");
  if (to.ns <= from.ns || to.tsc <= from.tsc)
    return zl_fail(err, ZL_E_SYSTEM, 0, "the processor's clock does not run");
  khz = (uint64_t)((double)(to.tsc - from.tsc) / (double)(to.ns - from.ns) * 1e6);
  if (khz < MIN_KHZ || khz > MAX_KHZ)
    return zl_fail(err, ZL_E_SYSTEM, 0, "the processor's clock seems to run at %llu kHz",
                   (unsigned long long)khz);
  *ret_khz = khz;
  return 0;
}
