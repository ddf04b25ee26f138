/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/rate.h"

#include <stdio.h>

#include "base/time.h"

enum {
  SAMPLE_MS = 500,
  WEIGHT_PERCENT = 30, /* of a new sample */
  MAX_HOURS = 99
};

void zl_rate_note(struct zl_rate *rate, uint64_t done, uint64_t now_ns)
{
  const uint64_t ns = now_ns - rate->at_ns;
  double sample;

  if (rate->at_ns == 0 || done < rate->done) {
    rate->at_ns = now_ns;
    rate->done = done;
    return;
  }
  if (ns < SAMPLE_MS * ZL_NS_PER_MS)
    return;
  sample = (double)(done - rate->done) * (double)ZL_NS_PER_S / (double)ns;
  rate->per_second =
      rate->per_second > 0
          ? (rate->per_second * (100 - WEIGHT_PERCENT) + sample * WEIGHT_PERCENT) / 100
          : sample;
  rate->at_ns = now_ns;
  rate->done = done;
}

const char *zl_rate_left(const struct zl_rate *rate, uint64_t left, char text[ZL_HUMAN_TEXT])
{
  const double seconds = rate->per_second >= 1 ? (double)left / rate->per_second : -1;

  text[0] = '\0';
  if (left == 0 || seconds < 0)
    return text;
  if (seconds < 100)
    (void)snprintf(text, ZL_HUMAN_TEXT, "%d s left", (int)seconds + 1);
  else if (seconds < 100 * 60)
    (void)snprintf(text, ZL_HUMAN_TEXT, "%d min left", (int)(seconds / 60) + 1);
  else if (seconds < MAX_HOURS * 3600.0)
    (void)snprintf(text, ZL_HUMAN_TEXT, "%d h left", (int)(seconds / 3600) + 1);
  return text;
}
