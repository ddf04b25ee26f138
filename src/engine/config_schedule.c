/* SPDX-License-Identifier: Apache-2.0
 *
 * How a process is scheduled: scheduler, ioPriority, execCPUAffinity; and where its memory is:
 * linux.memoryPolicy.
 */
#include <linux/ioprio.h>
#include <linux/mempolicy.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <string.h>

#include "base/limits.h"
#include "engine/config_private.h"

enum {
  MIN_RUNTIME_NS = 1024 /* of SCHED_DEADLINE: the kernel counts in such units */
};

static const struct zl_config_word policies[] = {
  { "SCHED_OTHER", SCHED_NORMAL },
  { "SCHED_FIFO", SCHED_FIFO },
  { "SCHED_RR", SCHED_RR },
  { "SCHED_BATCH", SCHED_BATCH },
  { "SCHED_ISO", 4 /* never merged */ },
  { "SCHED_IDLE", SCHED_IDLE },
  { "SCHED_DEADLINE", SCHED_DEADLINE },
};

static const struct zl_config_word flags[] = {
  { "SCHED_FLAG_RESET_ON_FORK", SCHED_FLAG_RESET_ON_FORK },
  { "SCHED_FLAG_RECLAIM", SCHED_FLAG_RECLAIM },
  { "SCHED_FLAG_DL_OVERRUN", SCHED_FLAG_DL_OVERRUN },
  { "SCHED_FLAG_KEEP_POLICY", SCHED_FLAG_KEEP_POLICY },
  { "SCHED_FLAG_KEEP_PARAMS", SCHED_FLAG_KEEP_PARAMS },
  { "SCHED_FLAG_UTIL_CLAMP_MIN", SCHED_FLAG_UTIL_CLAMP_MIN },
  { "SCHED_FLAG_UTIL_CLAMP_MAX", SCHED_FLAG_UTIL_CLAMP_MAX },
};

static const struct zl_config_word classes[] = {
  { "IOPRIO_CLASS_RT", IOPRIO_CLASS_RT },
  { "IOPRIO_CLASS_BE", IOPRIO_CLASS_BE },
  { "IOPRIO_CLASS_IDLE", IOPRIO_CLASS_IDLE },
};

static const struct zl_config_word memory_modes[] = {
  { "MPOL_DEFAULT", MPOL_DEFAULT },
  { "MPOL_PREFERRED", MPOL_PREFERRED },
  { "MPOL_BIND", MPOL_BIND },
  { "MPOL_INTERLEAVE", MPOL_INTERLEAVE },
  { "MPOL_LOCAL", MPOL_LOCAL },
  { "MPOL_PREFERRED_MANY", MPOL_PREFERRED_MANY },
  { "MPOL_WEIGHTED_INTERLEAVE", 6 /* since 6.9 */ },
};

static const struct zl_config_word memory_flags[] = {
  { "MPOL_F_NUMA_BALANCING", MPOL_F_NUMA_BALANCING },
  { "MPOL_F_RELATIVE_NODES", MPOL_F_RELATIVE_NODES },
  { "MPOL_F_STATIC_NODES", MPOL_F_STATIC_NODES },
};

static int read_numbers(struct zl_config_reader *rd, const json_t *object, const char *path,
                        struct zl_scheduler *s)
{
  int64_t nice, priority, runtime, deadline, period;
  int r = zl_json_get_int(object, path, "nice", -20, 19, 0, &nice, rd->err);

  if (r == 0)
    r = zl_json_get_int(object, path, "priority", 0, 99, 0, &priority, rd->err);
  if (r == 0)
    r = zl_json_get_int(object, path, "runtime", 0, INT64_MAX, 0, &runtime, rd->err);
  if (r == 0)
    r = zl_json_get_int(object, path, "deadline", 0, INT64_MAX, 0, &deadline, rd->err);
  if (r == 0)
    r = zl_json_get_int(object, path, "period", 0, INT64_MAX, 0, &period, rd->err);
  if (r < 0)
    return r;
  s->has_runtime = json_object_get(object, "runtime") != NULL;
  s->nice = (int32_t)nice;
  s->priority = (uint32_t)priority;
  s->runtime_ns = (uint64_t)runtime;
  s->deadline_ns = (uint64_t)deadline;
  s->period_ns = (uint64_t)period;
  return 0;
}

/* What the kernel would take without a word although it means nothing with that policy. */
static int check_scheduler(struct zl_config_reader *rd, const char *path,
                           const struct zl_scheduler *s)
{
  const bool fair = s->policy == SCHED_NORMAL || s->policy == SCHED_BATCH;
  const bool real_time = s->policy == SCHED_FIFO || s->policy == SCHED_RR;

  if (s->nice != 0 && !fair)
    return zl_fail(rd->err, ZL_E_INVALID, 0, "%s.nice: only with SCHED_OTHER and SCHED_BATCH",
                   path);
  if (s->priority != 0 && !real_time)
    return zl_fail(rd->err, ZL_E_INVALID, 0, "%s.priority: only with SCHED_FIFO and SCHED_RR",
                   path);
  if (s->runtime_ns + s->deadline_ns + s->period_ns != 0 && s->policy != SCHED_DEADLINE)
    return zl_fail(rd->err, ZL_E_INVALID, 0,
                   "%s: runtime, deadline and period are of SCHED_DEADLINE", path);
  return 0;
}

/* What the kernel would say EINVAL to: it wants runtime <= deadline <= period, the last two of
 * which may be 0 for "as the one before". */
static int check_deadline(struct zl_config_reader *rd, const char *path,
                          const struct zl_scheduler *s)
{
#define DEADLINE "%s: sched_setattr: `SCHED_DEADLINE` "
  if (s->policy != SCHED_DEADLINE)
    return 0;
  if (!s->has_runtime)
    return zl_fail(rd->err, ZL_E_INVALID, 0, DEADLINE "requires `runtime`", path);
  if (s->deadline_ns == 0)
    return zl_fail(rd->err, ZL_E_INVALID, 0, DEADLINE "requires `deadline`", path);
  if (s->runtime_ns == 0)
    return zl_fail(rd->err, ZL_E_INVALID, 0, DEADLINE "runtime must be greater than 0", path);
  if (s->runtime_ns < MIN_RUNTIME_NS)
    return zl_fail(rd->err, ZL_E_INVALID, 0,
                   DEADLINE "runtime %llu must be between %d and the deadline", path,
                   (unsigned long long)s->runtime_ns, MIN_RUNTIME_NS);
  if (s->runtime_ns > s->deadline_ns)
    return zl_fail(rd->err, ZL_E_INVALID, 0, DEADLINE "runtime must be <= the deadline", path);
  if (s->period_ns != 0 && s->deadline_ns > s->period_ns)
    return zl_fail(rd->err, ZL_E_INVALID, 0, DEADLINE "deadline must be <= the period", path);
  return 0;
#undef DEADLINE
}

static int read_scheduler(struct zl_config_reader *rd, const json_t *object, const char *path,
                          struct zl_process *p)
{
  char at[ZL_CONFIG_PATH], policy_at[ZL_CONFIG_PATH];
  struct zl_scheduler *s = &p->scheduler;
  const char *policy;
  uint32_t bits = 0;
  json_t *scheduler;
  int r = zl_json_get_object(object, path, "scheduler", &scheduler, rd->err);

  if (r < 0 || scheduler == NULL)
    return r;
  (void)zl_config_path(at, path, "scheduler", -1);
  r = zl_config_required(rd, scheduler, at, "policy", &policy);
  if (r == 0)
    r = zl_config_word(rd, policies, ZL_COUNT(policies), policy,
                       zl_config_path(policy_at, at, "policy", -1), &s->policy);
  if (r == 0)
    r = read_numbers(rd, scheduler, at, s);
  if (r == 0)
    r = zl_config_flags(rd, scheduler, at, flags, ZL_COUNT(flags), &bits);
  s->flags = bits;
  if (r == 0)
    r = check_scheduler(rd, at, s);
  if (r == 0)
    r = check_deadline(rd, at, s);
  s->present = r == 0;
  return r;
}

static int read_io_priority(struct zl_config_reader *rd, const json_t *object, const char *path,
                            struct zl_process *p)
{
  char at[ZL_CONFIG_PATH], class_at[ZL_CONFIG_PATH];
  uint32_t class = 0, level = 0;
  const char *text;
  json_t *priority;
  int r = zl_json_get_object(object, path, "ioPriority", &priority, rd->err);

  if (r < 0 || priority == NULL)
    return r;
  (void)zl_config_path(at, path, "ioPriority", -1);
  r = zl_config_required(rd, priority, at, "class", &text);
  if (r == 0)
    r = zl_config_word(rd, classes, ZL_COUNT(classes), text,
                       zl_config_path(class_at, at, "class", -1), &class);
  if (r == 0 && json_object_get(priority, "priority") != NULL)
    r = zl_config_required_u32(rd, priority, at, "priority", IOPRIO_NR_LEVELS - 1, &level);
  if (r == 0)
    p->io_priority = IOPRIO_PRIO_VALUE(class, level);
  return r;
}

/* "0-3,7", the form of cpuset(7). */
static int read_cpus(struct zl_config_reader *rd, const json_t *object, const char *path,
                     const char *key, const struct zl_cpus **ret)
{
  char at[ZL_CONFIG_PATH];
  struct zl_cpus *cpus;
  const char *text;
  int r = zl_json_get_string(object, path, key, &text, rd->err);

  if (r < 0 || text == NULL || *text == '\0')
    return r;
  cpus = zl_arena_alloc(rd->arena, sizeof(*cpus));
  if (cpus == NULL)
    return zl_fail_nomem(rd->err, "configuration");
  if (!zl_cpus_parse(text, cpus))
    return zl_fail(rd->err, ZL_E_INVALID, 0, "%s: '%.60s' is not a list like 0-3,7 below %d",
                   zl_config_path(at, path, key, -1), text, ZL_MAX_CPUS);
  *ret = cpus;
  return 0;
}

static int read_affinity(struct zl_config_reader *rd, const json_t *object, const char *path,
                         struct zl_process *p)
{
  char at[ZL_CONFIG_PATH];
  json_t *affinity;
  int r = zl_json_get_object(object, path, "execCPUAffinity", &affinity, rd->err);

  (void)zl_config_path(at, path, "execCPUAffinity", -1);
  if (r == 0)
    r = read_cpus(rd, affinity, at, "initial", &p->exec_cpus_initial);
  if (r == 0)
    r = read_cpus(rd, affinity, at, "final", &p->exec_cpus_final);
  return r;
}

int zl_config_schedule(struct zl_config_reader *rd, const json_t *object, const char *path,
                       struct zl_process *p)
{
  int r = read_scheduler(rd, object, path, p);

  if (r == 0)
    r = read_io_priority(rd, object, path, p);
  return r == 0 ? read_affinity(rd, object, path, p) : r;
}

/* Whether the nodes are there, and whether the mode goes with the flags, the kernel says. */
int zl_config_memory_policy(struct zl_config_reader *rd, const json_t *linux_object,
                            struct zl_engine_config *c)
{
  static const char at[] = "linux.memoryPolicy";
  struct zl_memory_policy *policy = &c->memory_policy;
  char mode_at[ZL_CONFIG_PATH];
  const char *mode;
  json_t *object;
  int r = zl_json_get_object(linux_object, "linux", "memoryPolicy", &object, rd->err);

  if (r < 0 || object == NULL)
    return r;
  r = zl_config_required(rd, object, at, "mode", &mode);
  if (r == 0)
    r = zl_config_word(rd, memory_modes, ZL_COUNT(memory_modes), mode,
                       zl_config_path(mode_at, at, "mode", -1), &policy->mode);
  if (r == 0)
    r = zl_config_flags(rd, object, at, memory_flags, ZL_COUNT(memory_flags), &policy->mode);
  if (r == 0)
    r = read_cpus(rd, object, at, "nodes", &policy->nodes);
  policy->present = r == 0;
  return r;
}
