/* SPDX-License-Identifier: Apache-2.0
 *
 * A shim's life, the same for every keeper: docs/shim.md.
 */
#ifndef ZL_SHIM_RUN_H
#define ZL_SHIM_RUN_H

#include "shim/keeper.h"

enum {
  SHIM_DIR_FD = 3, /* descriptors that a shim is started with */
  SHIM_CONTROL_FD = 4,
  SHIM_LOCK_FD = 5
};

/* Empties *shim, which its keeper has embedded first in a larger object. */
void shim_init(struct shim *shim, const struct keeper *keeper);

/* The process as every mode of a shim wants it: no signals, umask, not dumpable. */
int shim_prepare_process(struct zl_error *err);

/* main of `PROGRAM <id> [for keeper->prepare …]`; returns the exit status. */
int shim_main(struct shim *shim, int argc, char **argv);

/* The rest of it: from a control connection on which the first message is awaited, or whose
 * directory and lock are there already. */
int shim_serve(struct shim *shim, int control_fd);

#endif
