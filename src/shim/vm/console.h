/* SPDX-License-Identifier: Apache-2.0
 *
 * The guest's console: its last lines are kept, for the day that the machine dies. A guest may
 * write as much as it likes; memory and disk do not grow.
 */
#ifndef ZL_SHIM_VM_CONSOLE_H
#define ZL_SHIM_VM_CONSOLE_H

#include <stddef.h>

#include "shim/loop.h"

enum {
  CONSOLE_KEPT = 8 << 10,
  CONSOLE_TAIL = 400 /* of an error message */
};

struct console {
  struct source source;
  struct loop *loop;
  int fd; /* owned; -1: closed */
  char ring[CONSOLE_KEPT];
  size_t at, len; /* next byte to write; how many are valid */
};

/* Takes over `fd`, non-blocking, on success. */
int console_open(struct console *console, struct loop *loop, int fd, struct zl_error *err);
/* Reads what is there, so that the last words of a dead machine are not missed. */
void console_drain(struct console *console);
/* Drains and closes. */
void console_close(struct console *console);

/* Everything kept, oldest first; returns the length. */
size_t console_text(const struct console *console, char text[CONSOLE_KEPT]);
/* The last lines on one line, separated by " | ", for an error message; "" when there are none. */
void console_tail(const struct console *console, char tail[CONSOLE_TAIL]);

#endif
