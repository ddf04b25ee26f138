/* SPDX-License-Identifier: Apache-2.0
 *
 * The process of a shim that does not answer.
 */
#ifndef ZL_RUNTIME_SHIM_PROCESS_H
#define ZL_RUNTIME_SHIM_PROCESS_H

#include <stdint.h>

/* How long a shim may take to end its container by force, and to end. */
extern const struct zl__shim_patience {
  uint64_t answer_ns, end_ns;
} zl__shim_patience;

/* Sends the shim whose directory this is ZL_SIGNAL_KILL or ZL_SIGNAL_TERM; on Windows both end it
 * at once. No-op when there is none. */
void zl__shim_signal(int dir_fd, int signal);

#endif
