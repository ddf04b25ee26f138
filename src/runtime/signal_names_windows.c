/* SPDX-License-Identifier: Apache-2.0
 *
 * The texts of signals: events of consoles, and the two numbers that every tool knows.
 */
#include <stdio.h>
#include <zlayer/runtime.h>

#include "base/signals.h"
#include "base/strv.h"
#include "runtime/hcs/signal.h"

static const struct {
  enum zl_hcs_signal signal;
  int number; /* as shims are told */
} numbers[] = {
  { ZL_HCS_CTRL_C, ZL_SIGNAL_EVENT },         { ZL_HCS_CTRL_BREAK, ZL_SIGNAL_EVENT + 1 },
  { ZL_HCS_CTRL_CLOSE, ZL_SIGNAL_EVENT + 2 }, { ZL_HCS_CTRL_LOGOFF, ZL_SIGNAL_EVENT + 5 },
  { ZL_HCS_CTRL_SHUTDOWN, ZL_SIGNAL_TERM },   { ZL_HCS_TERMINATE, ZL_SIGNAL_KILL },
};

int zl_signal_parse(const char *text, int *ret_signal, struct zl_error *err)
{
  enum zl_hcs_signal signal;
  int r = zl_hcs_signal_parse(text, true, &signal, err);

  for (size_t i = 0; r == 0 && i < ZL_COUNT(numbers); i++)
    if (numbers[i].signal == signal)
      *ret_signal = numbers[i].number;
  return r;
}
