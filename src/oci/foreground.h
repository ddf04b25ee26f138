/* SPDX-License-Identifier: Apache-2.0
 *
 * A process in the foreground: this program stands for it until it ends.
 */
#ifndef ZL_OCI_FOREGROUND_H
#define ZL_OCI_FOREGROUND_H

#include "engine/child.h"

/* Passes signals on, relays the terminal (*master, -1: none) to and from our streams in raw mode,
 * and returns the exit code of our child, 128 + N after signal N. Closes both. */
int oci_foreground(struct zl_child *child, int *master, struct zl_error *err);

/* Before the program is started: signals that come from now on wait for oci_foreground, which hands
 * them to the program, instead of ending us. Children that are made meanwhile block none. */
void oci_foreground_hold_signals(void);

#endif
