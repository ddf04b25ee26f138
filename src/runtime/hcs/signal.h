/* SPDX-License-Identifier: Apache-2.0
 *
 * Signals of Windows containers. Windows knows the events of consoles only (winbase's CTRL_*_EVENT;
 * the compute service's schema calls them CtrlC …), and ending a process by force.
 */
#ifndef ZL_RUNTIME_HCS_SIGNAL_H
#define ZL_RUNTIME_HCS_SIGNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <zlayer/error.h>

enum zl_hcs_signal {
  ZL_HCS_TERMINATE, /* no event: HcsTerminateProcess, or a guest's signal without options */
  ZL_HCS_CTRL_C,
  ZL_HCS_CTRL_BREAK,
  ZL_HCS_CTRL_CLOSE,
  ZL_HCS_CTRL_LOGOFF,
  ZL_HCS_CTRL_SHUTDOWN
};

/* Whether events can be sent: from Server 2019 on, and in a machine if its guest says so
 * (SignalProcessSupported). */
bool zl_hcs_signals_supported(uint32_t host_build, bool in_machine, bool guest_says_so);

/* The names of the schema in any case ("CtrlC", "ctrlshutdown"), "TERM" and "KILL" with or without
 * "SIG", and the numbers below. An empty text or NULL is CtrlShutdown. Without `supported` only
 * CtrlShutdown, TERM and KILL are known, and each of them ends the process by force.
 * ZL_E_INVALID naming what is known. */
int zl_hcs_signal_parse(const char *text, bool supported, enum zl_hcs_signal *ret,
                        struct zl_error *err);
/* The same of a number: CTRL_C_EVENT 0, CTRL_BREAK_EVENT 1, CTRL_CLOSE_EVENT 2, CTRL_LOGOFF_EVENT
 * 5, CTRL_SHUTDOWN_EVENT 6, and 15 (TERM) and 9 (KILL), which every tool knows. */
int zl_hcs_signal_of_number(int number, bool supported, enum zl_hcs_signal *ret,
                            struct zl_error *err);

/* "CtrlShutdown"; NULL for ZL_HCS_TERMINATE. Static. */
const char *zl_hcs_signal_name(enum zl_hcs_signal signal);

#endif
