/* SPDX-License-Identifier: Apache-2.0
 *
 * What a client counts where its server can see it: a mapping named "hcs-sim-…-counters-PID".
 */
#ifndef HCS_SIM_COUNTERS_H
#define HCS_SIM_COUNTERS_H

#include <windows.h>

enum {
  SIM_MISUSE_TEXT = 200,
  SIM_MISUSES = 32
};

struct sim_counters {
  LONG operations;    /* not closed */
  LONG local, cotask; /* texts not freed */
  LONG ended;         /* the process ran to its end; killed ones have no time to free */
  LONG misuses;
  char misuse[SIM_MISUSES][SIM_MISUSE_TEXT];
};

#endif
