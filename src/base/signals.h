/* SPDX-License-Identifier: Apache-2.0
 *
 * The numbers of signals that shims are told, also on systems whose C library has no names for
 * them.
 */
#ifndef ZL_BASE_SIGNALS_H
#define ZL_BASE_SIGNALS_H

enum {
  ZL_SIGNAL_KILL = 9,
  ZL_SIGNAL_TERM = 15,
  /* Events of Windows' consoles: this and the event's number (runtime/hcs/signal.h), since that of
   * CtrlC is 0. */
  ZL_SIGNAL_EVENT = 32
};

#endif
