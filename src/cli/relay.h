/* SPDX-License-Identifier: Apache-2.0
 *
 * Running a session in the foreground: streams, terminal, window size and signals.
 */
#ifndef ZL_CLI_RELAY_H
#define ZL_CLI_RELAY_H

#include "cli/cli.h"

struct zl_relay {
  struct zl_runtime *rt;
  struct zl_session *session;
  const char *id;
  bool tty;
  bool interactive; /* standard input goes to the workload */
  bool forward;     /* signals go to the workload; else they end the relay */
  int caught;       /* the signal that ended the relay; 0: none */
};

/* Blocks the signals that a relay handles (INT, TERM, HUP, QUIT, USR1, USR2, WINCH) for good, in
 * this thread and those it starts: one that arrives before zl_relay_run stays pending, and one that
 * arrives after it can no longer spoil the exit code. */
void zl_relay_block_signals(void);

/* zl_session_run with this program's streams, once in the life of the program. The signals must be
 * blocked. With tty and interactive
 * the terminal is in raw mode meanwhile. ZL_E_CANCELLED after a signal that was not for the
 * workload, or after the third INT or TERM: the other side goes on without us. */
int zl_relay_run(struct zl_relay *relay, struct zl_outcome *ret, struct zl_error *err);

/* -t asks for a terminal on standard input. ZL_E_INVALID without. */
int zl_relay_check_terminal(bool tty, struct zl_error *err);

#endif
