/* SPDX-License-Identifier: Apache-2.0
 *
 * Watching several containers at once: their output with their names in front, and Ctrl-C.
 */
#ifndef ZL_CLI_FOLLOW_H
#define ZL_CLI_FOLLOW_H

#include "cli/cli.h"

struct zl_followed {
  const char *id;
  uint64_t since_ns; /* CLOCK_REALTIME: older output is not shown; 0: all */
  int exit_code;     /* afterwards */
};

/* Blocks INT and TERM for good, so that zl_follow and zl_follow_interrupted see them. */
void zl_follow_block_signals(void);
/* The INT or TERM that is pending; 0: none. */
int zl_follow_interrupted(void);

/* Shows the output of all until all have ended. The first INT or TERM stops them, the last one
 * first; a second one kills them. Returns the exit code: the first in order that is not 0, or
 * 128 + the signal. */
int zl_follow(struct zl_cli *cli, struct zl_runtime *rt, struct zl_followed *items, size_t count);

#endif
