/* SPDX-License-Identifier: Apache-2.0
 *
 * The state of the shim: one container, from its bundle to its exit record.
 */
#ifndef ZL_SHIM_SHIM_H
#define ZL_SHIM_SHIM_H

#include <stdbool.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "engine/config.h"
#include "engine/container.h"
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
struct group;
struct session;

struct shim {
  const char *id;
  int dir_fd, lock_fd;
  int netns_fd; /* made early, for the container to join; -1: it makes its own */
  struct zl_engine_config *config;
  struct loop loop;
  struct log log;

  struct group *group; /* its cgroups; NULL: none */
  bool link_made;
  struct zl_container container;
  struct source init_source;

  enum status status;
  bool paused;
  uint64_t start_time; /* of the first process, in ticks since boot */
  uint64_t created_at_ns, started_at_ns;
  struct exit_record exit; /* STATUS_STOPPED */

  struct stream streams[STREAM_COUNT]; /* with a terminal only the first is open */
  int stdin_fd; /* what the first attach gets: the pipe's write end or the terminal; -1: gone */

  int listen_fd, signal_fd, timer_fd;
  struct source listen_source, signal_source, timer_source;
  uint64_t kill_at_ns; /* CLOCK_BOOTTIME; 0: no stop is under way */
  struct conn *conns;
  size_t n_conns;
  struct session *sessions;
  size_t n_sessions;
  bool init_ended; /* perhaps not reaped yet: a debugger may hold it */
  bool finished;   /* the end has been recorded and everything of the container is gone */
};

#endif
