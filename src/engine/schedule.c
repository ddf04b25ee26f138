/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/schedule.h"

#include <ctype.h>
#include <linux/ioprio.h>
#include <linux/sched/types.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
  WORD_BITS = 8 * sizeof(unsigned long)
};

static bool parse_number(const char **text, unsigned long *ret)
{
  char *end;

  if (!isdigit((unsigned char)**text))
    return false;
  *ret = strtoul(*text, &end, 10);
  *text = end;
  return *ret < ZL_MAX_CPUS;
}

bool zl_cpus_parse(const char *text, struct zl_cpus *ret)
{
  *ret = (struct zl_cpus){ 0 };
  for (;;) {
    unsigned long first, last;

    if (!parse_number(&text, &first))
      return false;
    last = first;
    if (*text == '-' && (text++, !parse_number(&text, &last) || last < first))
      return false;
    for (; first <= last; first++)
      ret->bits[first / WORD_BITS] |= 1UL << first % WORD_BITS;
    if (*text == '\0')
      return true;
    if (*text++ != ',')
      return false;
  }
}

int zl_cpus_apply(const struct zl_cpus *cpus, struct zl_error *err)
{
  if (syscall(SYS_sched_setaffinity, 0, sizeof(cpus->bits), cpus->bits) < 0)
    return zl_fail_errno(err, "choosing the processors (execCPUAffinity)");
  return 0;
}

int zl_schedule_apply(const struct zl_scheduler *scheduler, int io_priority, struct zl_error *err)
{
  const struct sched_attr attr = {
    .size = sizeof(attr),
    .sched_policy = scheduler->policy,
    .sched_flags = scheduler->flags,
    .sched_nice = scheduler->nice,
    .sched_priority = scheduler->priority,
    .sched_runtime = scheduler->runtime_ns,
    .sched_deadline = scheduler->deadline_ns,
    .sched_period = scheduler->period_ns,
  };

  if (scheduler->present && syscall(SYS_sched_setattr, 0, &attr, 0) < 0)
    return zl_fail_errno(err, "scheduling policy %u", scheduler->policy);
  if (io_priority != 0 && syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, io_priority) < 0)
    return zl_fail_errno(err, "input/output priority");
  return 0;
}

int zl_memory_policy_apply(const struct zl_memory_policy *policy, struct zl_error *err)
{
  const unsigned long *nodes = policy->nodes != NULL ? policy->nodes->bits : NULL;

  if (policy->present &&
      syscall(SYS_set_mempolicy, policy->mode, nodes, nodes != NULL ? ZL_MAX_CPUS : 0) < 0)
    return zl_fail_errno(err, "linux.memoryPolicy");
  return 0;
}
