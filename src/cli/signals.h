/* SPDX-License-Identifier: Apache-2.0
 *
 * What a user or a supervisor tells a verb that stays: signals, on Windows events of the console.
 */
#ifndef ZL_CLI_SIGNALS_H
#define ZL_CLI_SIGNALS_H

#include <zlayer/error.h>

#include "base/signals.h"

enum {
  /* As POSIX numbers them; others come as they are. */
  ZL_CLI_INT = 2,
  ZL_CLI_KILL = ZL_SIGNAL_KILL,
  ZL_CLI_USR1 = 10,
  ZL_CLI_USR2 = 12,
  ZL_CLI_TERM = ZL_SIGNAL_TERM,
  ZL_CLI_RESIZED = 28
};

/* Two sets: what asks to end (INT, TERM), and everything that a workload may be told, which also
 * has the change of the terminal's size. */
enum zl_cli_signals {
  ZL_CLI_SIGNALS_END,
  ZL_CLI_SIGNALS_ALL
};

/* From now on they do not end the program but wait to be taken. Before any thread is started. */
void zl_cli_signals_block(enum zl_cli_signals which);
/* INT or TERM that waits, 0: none. */
int zl_cli_signals_pending(void);
/* A descriptor that is readable while one waits; the caller closes it. */
int zl_cli_signals_open(enum zl_cli_signals which, int *ret_fd, struct zl_error *err);
/* The next one, 0: none. */
int zl_cli_signals_take(int fd);
/* For messages: "Interrupt". */
const char *zl_cli_signal_text(int number);
/* As zl_kill has it. */
int zl_cli_signal_to_send(int number);

#endif
