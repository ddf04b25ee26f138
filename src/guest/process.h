/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of the container's processes that the host knows: the first one and those executed
 * later. One that has ended is remembered, for a wait that comes late, until its place is needed.
 */
#ifndef ZL_GUEST_PROCESS_H
#define ZL_GUEST_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <zlayer/error.h>

#include "base/limits.h"
#include "engine/child.h"
#include "guest/stream.h"

enum {
  MAX_PROCESSES = 2 * ZL_MAX_EXEC_SESSIONS /* half of them running */
};

struct process {
  struct agent *agent;
  uint64_t serial;        /* in the order of their making; 0: a free place */
  pid_t pid;              /* 0: another process has the number by now */
  struct zl_child *child; /* NULL: it has ended */
  struct zl_child own;    /* what child points to for an executed one */
  bool is_init;
  int code, signal; /* how it ended */
  bool is_oom_killed;
  struct stream streams[STREAM_COUNT]; /* with a terminal STREAM_ERR is never open */
};

/* Makes every place a free one. */
void process_table_init(struct agent *agent);
/* A place for a process that is about to be started. ZL_E_LIMIT. */
int process_new(struct agent *agent, struct process **ret, struct zl_error *err);
/* It has been started. `child` stays its owner's. */
void process_begin(struct process *process, struct zl_child *child);
/* Frees the place; a process in it is killed. */
void process_drop(struct process *process);
/* Kills and forgets every one of the container's; who waits is told. */
void process_drop_all(struct agent *agent);

/* NULL: none. */
struct process *process_find(struct agent *agent, pid_t pid);
/* NULL: none. */
struct stream *process_find_stream(struct agent *agent, uint32_t port);
struct stream *process_stream_of_key(struct agent *agent, uint32_t key);

static inline bool process_is_running(const struct process *process)
{
  return process->child != NULL;
}

/* Reaps every child that has ended, the orphans of others included. */
void process_reap(struct agent *agent);
/* Tells who waits for an ended process, once its output has been passed on. */
void process_check(struct process *process);

/* Takes over an unanswered WaitForProcess. ZL_E_LIMIT. */
int process_wait(struct process *process, uint64_t id, uint64_t deadline_ns, struct zl_error *err);
/* When process_expire has to be called at the latest; UINT64_MAX: never. */
uint64_t process_deadline(const struct agent *agent);
/* Refuses the waits whose time is over. */
void process_expire(struct agent *agent, uint64_t now_ns);

#endif
