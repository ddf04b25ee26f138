/* SPDX-License-Identifier: Apache-2.0
 *
 * The state of a shim: one container, from its directory to its exit record. What the container is
 * made of is its keeper's: processes of the engine (process/) or a virtual machine (vm/).
 */
#ifndef ZL_SHIM_SHIM_H
#define ZL_SHIM_SHIM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <zlayer/error.h>

#include "base/limits.h"
#include "shim/exit.h"
#include "shim/log.h"
#include "shim/loop.h"
#include "shim/stream.h"

enum status {
  STATUS_CREATED,
  STATUS_RUNNING,
  STATUS_STOPPING,
  STATUS_STOPPED
};

struct conn;
struct keeper;

/* What the keeper's `load` says of the container. */
struct settings {
  bool terminal;
  int stop_signal; /* asks the workload to end */
  uint64_t log_max_bytes;
  unsigned log_files;
  bool unrecorded; /* no log and no event: its caller keeps records of its own */
};

struct shim {
  const struct keeper *keeper;
  char id[ZL_MAX_ID + 1];
  int dir_fd, lock_fd;
  const char *dir;    /* Windows: the container's directory */
  int control_fd;     /* Windows: to whoever has the container made; borrowed */
  const char *events; /* the file; NULL: events.log two directories above dir_fd */
  struct settings settings;
  struct loop loop;
  struct log log;

  enum status status;
  bool starting;                        /* a start is under way: its answers are owed */
  const struct zl_error *start_failure; /* why it ends with that start; borrowed */
  bool paused;
  bool pausing, pausing_to; /* a pause or its end is under way */
  const char *tier; /* how its machine was started: "pool", "clone", "boot"; NULL: none. Static */
  pid_t pid;        /* of the first process as the host sees it */
  uint64_t start_time; /* of it, in ticks since boot */
  uint64_t created_at_ns, started_at_ns;
  char warning[ZL_ERROR_MSG_MAX]; /* for whoever had the container made; "": none */
  struct exit_record exit;        /* STATUS_STOPPED */

  struct stream streams[STREAM_COUNT]; /* with a terminal only the first is open */
  int stdin_fd; /* what the first attach gets: the pipe's write end or the terminal; -1: gone */

  int listen_fd, signal_fd, timer_fd;
  struct source listen_source, signal_source, timer_source;
  uint64_t kill_at_ns; /* CLOCK_BOOTTIME; 0: no stop is under way */
  struct conn *conns;
  size_t n_conns;
  uint64_t last_serial; /* of a connection */
  size_t n_sessions;    /* executed processes that still run */
  bool finished;        /* the end has been recorded and everything of the container is gone */
};

#endif
