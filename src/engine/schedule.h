/* SPDX-License-Identifier: Apache-2.0
 *
 * How a process of a container gets its processor, its disk and its memory.
 */
#ifndef ZL_ENGINE_SCHEDULE_H
#define ZL_ENGINE_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/limits.h"

struct zl_scheduler {
  bool present;
  uint32_t policy; /* SCHED_* */
  uint64_t flags;  /* SCHED_FLAG_* */
  int32_t nice;
  uint32_t priority;
  bool has_runtime;
  uint64_t runtime_ns, deadline_ns, period_ns;
};

struct zl_cpus {
  unsigned long bits[ZL_MAX_CPUS / (8 * sizeof(unsigned long))];
};

struct zl_memory_policy {
  bool present;
  uint32_t mode;               /* MPOL_* | MPOL_F_* */
  const struct zl_cpus *nodes; /* of memory; NULL: none are named */
};

/* "0-3,7"; false when it is not such a list. */
bool zl_cpus_parse(const char *text, struct zl_cpus *ret);

/* Puts the calling thread on these processors. */
int zl_cpus_apply(const struct zl_cpus *cpus, struct zl_error *err);

/* The calling thread gets the scheduling class (unless it is not present) and the priority of its
 * disk operations (an ioprio value; 0: none is set). Better ones than usual need privileges. */
int zl_schedule_apply(const struct zl_scheduler *scheduler, int io_priority, struct zl_error *err);

/* The calling thread, and what it executes, takes its memory from these nodes (unless the policy is
 * not present). */
int zl_memory_policy_apply(const struct zl_memory_policy *policy, struct zl_error *err);

#endif
