/* SPDX-License-Identifier: Apache-2.0
 *
 * The keeper of process isolation: the container is made of this host's processes, by the engine.
 */
#ifndef ZL_SHIM_PROCESS_H
#define ZL_SHIM_PROCESS_H

#include "engine/config.h"
#include "engine/container.h"
#include "shim/shim.h"

struct group;
struct session;

struct process_shim {
  struct shim shim;
  int netns_fd; /* made early, for the container to join; -1: it makes its own */
  struct zl_engine_config *config;
  struct group *group; /* its cgroups; NULL: none */
  bool link_made;
  struct zl_container container;
  struct source init_source;
  struct session *sessions;
  bool init_ended; /* perhaps not reaped yet: a debugger may hold it */
};

static inline struct process_shim *process_of(struct shim *shim)
{
  return container_of(shim, struct process_shim, shim);
}

extern const struct keeper process_keeper;

#endif
