/* SPDX-License-Identifier: Apache-2.0
 *
 * What a shim needs of whoever keeps its container. Called by the core only (run.c, actions.c,
 * lifecycle.c), in the order of the members; everything is single-threaded.
 */
#ifndef ZL_SHIM_KEEPER_H
#define ZL_SHIM_KEEPER_H

#include <jansson.h>

#include "shim/request.h"
#include "shim/shim.h"

struct keeper {
  bool streams_with_terminal; /* a terminal has the streams of any process, not one descriptor */

  /* Before the container is known, from the rest of the command line. May be NULL. */
  int (*prepare)(struct shim *shim, int argc, char **argv, struct zl_error *err);
  /* Reads what the library has written into the directory; fills shim->settings. */
  int (*load)(struct shim *shim, struct zl_error *err);
  /* Builds the container, its streams, shim->pid; blocks. After an error `undo` is called. */
  int (*create)(struct shim *shim, struct zl_error *err);
  /* Watches what it has to watch. */
  int (*watch)(struct shim *shim, struct zl_error *err);

  /* Executes the workload. 0: it runs. 1: lifecycle_started or lifecycle_start_failed will tell.
   * Negative: it cannot be executed and has ended. */
  int (*start)(struct shim *shim, struct zl_error *err);
  /* To the first process; SIGKILL: to everything. Does not wait. */
  int (*signal)(struct shim *shim, int signal, struct zl_error *err);
  /* 1: lifecycle_paused will tell. */
  int (*freeze)(struct shim *shim, bool frozen, struct zl_error *err);
  /* Answers the client, now or later. `exec` answers with the process and owes the exit event;
   * `conn` may go before (forget). */
  int (*stats)(struct conn *conn, struct zl_error *err);
  int (*exec)(struct conn *conn, struct request *request, struct zl_error *err);
  /* The size of the terminal of the client's exec, else of the container. NULL: clients set it
   * themselves, on the terminal that they hold. */
  void (*resize)(struct conn *conn, unsigned rows, unsigned cols);
  /* Its exec that was `bound` ends with it. */
  void (*forget)(struct conn *conn);
  /* To the process that the client has executed, which runs. NULL: clients signal it themselves, by
   * its pid. */
  void (*signal_session)(struct conn *conn, int signal);

  /* A child was signalled (after watch_await_tracer). May be NULL. */
  void (*child_signalled)(struct shim *shim);

  /* The workload has ended: ends everything else of the container, so that the streams can be
   * drained. */
  void (*clear)(struct shim *shim);
  /* Takes away, in reverse order, what was made outside the container. Every step is attempted;
   * failures are logged. Idempotent. */
  void (*undo)(struct shim *shim);
};

#endif
