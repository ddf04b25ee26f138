/* SPDX-License-Identifier: Apache-2.0
 *
 * How fast something comes, and how long the rest of it takes. Pure.
 */
#ifndef ZL_CLI_RATE_H
#define ZL_CLI_RATE_H

#include <stdint.h>

#include "cli/human.h"

struct zl_rate {
  double per_second;    /* smoothed over the last few seconds; 0: not known yet */
  uint64_t at_ns, done; /* of the last sample; at_ns 0: none */
};

/* `done` bytes are here at `now_ns`. What the first call says was there before counts as given. */
void zl_rate_note(struct zl_rate *rate, uint64_t done, uint64_t now_ns);

/* "45 s left", "12 min left", "3 h left"; "" while that is not known. Returns `text`. */
const char *zl_rate_left(const struct zl_rate *rate, uint64_t left, char text[ZL_HUMAN_TEXT]);

#endif
