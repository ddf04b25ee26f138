/* SPDX-License-Identifier: Apache-2.0
 *
 * Signal names and numbers.
 */
#ifndef ZL_ENGINE_SIGNALS_H
#define ZL_ENGINE_SIGNALS_H

#include <stddef.h>

enum {
  ZL_SIGNAL_NAME = 16
};

/* "TERM", "SIGTERM", "sigterm", "RTMIN+3", "RTMAX-1" or "15" (1..64); -1 for anything else. */
int zl_signal_number(const char *text);
/* "SIGTERM", "SIGRTMIN+3"; "signal 99" outside 1..64. Returns `text`. */
const char *zl_signal_name(int signal, char text[ZL_SIGNAL_NAME]);

#endif
