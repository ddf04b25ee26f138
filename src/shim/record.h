/* SPDX-License-Identifier: Apache-2.0
 *
 * What the shim leaves in files for programs that come later.
 */
#ifndef ZL_SHIM_RECORD_H
#define ZL_SHIM_RECORD_H

#include "shim/shim.h"

const char *record_status_name(enum status status);

/* Replaces `state.json`. */
int record_state(const struct shim *shim, struct zl_error *err);
/* Replaces `exit.json`. Not synchronised to the disk: that would cost every container more than all
 * the rest of its end, and after a power cut the record of another boot is void anyway. */
int record_exit(const struct shim *shim, struct zl_error *err);
/* Appends one line to ROOT/events.log: {"time","type":"container","action":"die","id",…}. */
int record_event(const struct shim *shim, struct zl_error *err);

#endif
