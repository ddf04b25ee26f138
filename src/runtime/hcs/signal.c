/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/hcs/signal.h"

#include <stddef.h>

#include "base/cleanup.h"
#include "base/strv.h"
#include "image/oscompat.h"
#include "runtime/hcs/wintext.h"

#define KNOWN "CtrlC, CtrlBreak, CtrlClose, CtrlLogOff, CtrlShutdown, TERM or KILL"

enum {
  MAX_NUMBER = 255
};

static const struct signal_row {
  const char *name; /* as the schema has it, or as tools say */
  int number;
  enum zl_hcs_signal signal;
  bool always; /* also where there are no events */
} rows[] = {
  { "CtrlC", 0, ZL_HCS_CTRL_C, false },
  { "CtrlBreak", 1, ZL_HCS_CTRL_BREAK, false },
  { "CtrlClose", 2, ZL_HCS_CTRL_CLOSE, false },
  { "CtrlLogOff", 5, ZL_HCS_CTRL_LOGOFF, false },
  { "CtrlShutdown", 6, ZL_HCS_CTRL_SHUTDOWN, true },
  { "TERM", 15, ZL_HCS_CTRL_SHUTDOWN, true },
  { "KILL", 9, ZL_HCS_TERMINATE, true },
};

bool zl_hcs_signals_supported(uint32_t host_build, bool in_machine, bool guest_says_so)
{
  return host_build >= ZL_WINDOWS_2019 && (!in_machine || guest_says_so);
}

static int take(const struct signal_row *row, bool supported, enum zl_hcs_signal *ret,
                struct zl_error *err)
{
  if (!supported && !row->always)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0,
                   "signal '%s': this Windows version can only end processes; use TERM or KILL",
                   row->name);
  *ret = supported ? row->signal : ZL_HCS_TERMINATE;
  return 0;
}

int zl_hcs_signal_of_number(int number, bool supported, enum zl_hcs_signal *ret,
                            struct zl_error *err)
{
  for (size_t i = 0; i < ZL_COUNT(rows); i++)
    if (rows[i].number == number)
      return take(&rows[i], supported, ret, err);
  return zl_fail(err, ZL_E_INVALID, 0, "signal %d: Windows containers know " KNOWN, number);
}

int zl_hcs_signal_parse(const char *text, bool supported, enum zl_hcs_signal *ret,
                        struct zl_error *err)
{
  const char *name = text != NULL && *text != '\0' ? text : "CtrlShutdown";
  uint64_t number;

  if (zl_parse_u64(name, MAX_NUMBER, &number))
    return zl_hcs_signal_of_number((int)number, supported, ret, err);
  for (size_t i = 0; i < ZL_COUNT(rows); i++)
    if (zl_wintext_equal(rows[i].name, name) ||
        (zl_wintext_has_prefix(name, "SIG") && rows[i].number > 6 &&
         zl_wintext_equal(rows[i].name, name + 3)))
      return take(&rows[i], supported, ret, err);
  return zl_fail(err, ZL_E_INVALID, 0, "signal '%.40s': Windows containers know " KNOWN, name);
}

const char *zl_hcs_signal_name(enum zl_hcs_signal signal)
{
  for (size_t i = 0; i < ZL_COUNT(rows); i++)
    if (signal != ZL_HCS_TERMINATE && rows[i].signal == signal)
      return rows[i].name;
  return NULL;
}
