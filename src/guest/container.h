/* SPDX-License-Identifier: Apache-2.0
 *
 * The one container of the machine, from its bundle to its end; docs/bridge.md, "Create" and
 * "ExecuteProcess".
 */
#ifndef ZL_GUEST_CONTAINER_H
#define ZL_GUEST_CONTAINER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "engine/config.h"
#include "engine/container.h"
#include "guest/group.h"

struct agent;
struct process;

enum container_status {
  CONTAINER_NONE,
  CONTAINER_PREPARED, /* all of it but what is said of its program; it has no name of its own yet */
  CONTAINER_CREATED,
  CONTAINER_RUNNING,
  CONTAINER_STOPPED
};

struct container {
  enum container_status status;
  char id[ZL_MAX_ID + 1];
  struct zl_engine_config *config;
  struct group group;
  struct zl_container engine;
  int scratch_fd; /* holds its writable layer; -1: none */
  struct process *init;
  bool is_frozen;
  bool may_trace;    /* some process of it has or had the right to trace others */
  int last_signal;   /* the end that was asked for; 0: none was */
  bool is_announced; /* the host has been told of the end */
};

void container_init(struct container *container);

/* Makes the directories of the writable layer where they are missing. */
int container_prepare_scratch(int dir_fd, struct zl_error *err);

/* Makes it from a ContainerConfig object; prepared ones that are there are deleted. With `Prepare`
 * it is only prepared, and others that are stay behind it (guest/spares.h). With `Amendment` the
 * prepared one becomes this one. ZL_E_CONFLICT: there is one, or none that is prepared. After an
 * error nothing is left of it. */
int container_create(struct agent *agent, const char *id, const json_t *config,
                     struct zl_error *err);
/* ZL_E_NOT_FOUND unless `id` is the container's. */
int container_expect(const struct agent *agent, const char *id, struct zl_error *err);

/* What an ExecuteProcess asks for. */
struct execution {
  bool has_console;
  bool has_size;
  uint16_t rows, cols;
  uint32_t ports[3];     /* 0: not asked for */
  const json_t *process; /* OciProcess; NULL: the container's own first process */
};

/* Each starts a process and returns when its program executes. */
int container_start(struct agent *agent, const struct execution *execution, struct process **ret,
                    struct zl_error *err);
int container_exec(struct agent *agent, const struct execution *execution, struct process **ret,
                   struct zl_error *err);

/* SIGKILL to the first process reaches everything. ZL_E_CONFLICT: it has ended. */
int container_signal(struct agent *agent, const struct process *process, int signal,
                     struct zl_error *err);
/* Asks the container to end: its stop signal, or SIGKILL. Success when it has ended already. */
int container_stop(struct agent *agent, bool is_forced, struct zl_error *err);
int container_freeze(struct agent *agent, bool is_frozen, struct zl_error *err);

/* The first process has been reaped: finds out why it ended, and ends the rest. */
void container_conclude(struct agent *agent);
/* The same for a container that never ran. */
void container_end(struct agent *agent);
/* Sends the notification of its end; only the first call does. */
void container_announce_end(struct agent *agent);

/* For the engine: cgroups, and the loopback link of a namespace of its own. */
struct zl_container_hooks container_hooks(struct container *container);

/* Ends it. What it has written stays: the next machine may go on with the same disk. */
void container_remove(struct agent *agent);
/* The same, and its writable layer is emptied, so that another container may have the disk. One
 * that was prepared before it takes its place. */
int container_delete(struct agent *agent, struct zl_error *err);

#endif
