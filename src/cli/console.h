/* SPDX-License-Identifier: Apache-2.0
 *
 * The caller's terminal: its size, and raw mode that is undone on every way out.
 */
#ifndef ZL_CLI_CONSOLE_H
#define ZL_CLI_CONSOLE_H

#include <stdbool.h>
#include <zlayer/error.h>

/* Size of the terminal at fd; 0 x 0 when there is none. */
void zl_console_size(int fd, unsigned *ret_rows, unsigned *ret_cols);

/* Every key goes to the workload. One terminal at a time. Also undone when the program crashes. */
int zl_console_raw(int fd, struct zl_error *err);
/* Undoes it; no effect when it was not done. Async-signal-safe. */
void zl_console_restore(void);

/* Colours and moving the cursor are fit for fd: a terminal, not "dumb", and no NO_COLOR for
 * `colour`. */
bool zl_console_can_move(int fd);
bool zl_console_can_colour(int fd);

#endif
