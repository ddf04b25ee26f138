/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/process.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/time.h"
#include "guest/agent.h"

enum {
  CODE_SIGNAL = 128 /* exit code of a process that a signal has ended, less the signal */
};

/* ---- The table ----------------------------------------------------------------------------- */

static void forget(struct agent *agent, struct process *process)
{
  uint32_t first = KEY_STREAMS + (uint32_t)(process - agent->processes) * STREAM_COUNT;

  *process = (struct process){ .agent = agent, .own = { .pidfd = -1 } };
  for (uint32_t i = 0; i < STREAM_COUNT; i++)
    stream_init(&process->streams[i], agent, process, first + i, i == STREAM_IN);
}

void process_table_init(struct agent *agent)
{
  for (size_t i = 0; i < MAX_PROCESSES; i++)
    forget(agent, &agent->processes[i]);
}

/* Its children may still write to its streams, and somebody may still wait for it. */
static bool is_needed(const struct process *process)
{
  const struct agent *agent = process->agent;

  if (process_is_running(process) || process->is_init)
    return true;
  for (int i = 0; i < STREAM_COUNT; i++)
    if (process->streams[i].fd >= 0)
      return true;
  for (size_t i = 0; i < agent->n_waiters; i++)
    if (agent->waiters[i].process == process)
      return true;
  return false;
}

int process_new(struct agent *agent, struct process **ret, struct zl_error *err)
{
  struct process *oldest = NULL;
  size_t n_running = 0;

  for (size_t i = 0; i < MAX_PROCESSES; i++) {
    struct process *process = &agent->processes[i];

    n_running += process_is_running(process);
    if (process->serial != 0 && is_needed(process))
      continue;
    if (oldest == NULL || process->serial < oldest->serial)
      oldest = process;
  }
  if (oldest == NULL || n_running > ZL_MAX_EXEC_SESSIONS)
    return zl_fail(err, ZL_E_LIMIT, 0, "%d processes are being executed already",
                   ZL_MAX_EXEC_SESSIONS);
  forget(agent, oldest);
  oldest->serial = ++agent->next_serial;
  *ret = oldest;
  return 0;
}

void process_begin(struct process *process, struct zl_child *child)
{
  struct process *earlier = process_find(process->agent, child->pid);

  if (earlier != NULL)
    earlier->pid = 0;
  process->pid = child->pid;
  process->child = child;
}

void process_drop(struct process *process)
{
  zl_child_kill(&process->own);
  for (int i = 0; i < STREAM_COUNT; i++)
    stream_close(&process->streams[i]);
  forget(process->agent, process);
}

static void refuse_wait(struct agent *agent, uint64_t id, enum zl_code code, const char *text)
{
  struct zl_error why = { 0 };

  (void)zl_fail(&why, code, 0, "%s", text);
  (void)zl_bridge_refuse(agent->server, ZL_BRIDGE_WAIT_FOR_PROCESS, id, &why, NULL);
}

void process_drop_all(struct agent *agent)
{
  for (size_t i = 0; i < agent->n_waiters; i++)
    refuse_wait(agent, agent->waiters[i].id, ZL_E_CONFLICT, "the container has been deleted");
  agent->n_waiters = 0;
  for (size_t i = 0; i < MAX_PROCESSES; i++)
    if (agent->processes[i].serial != 0 && !spares_own(agent, &agent->processes[i]))
      process_drop(&agent->processes[i]);
}

struct process *process_find(struct agent *agent, pid_t pid)
{
  for (size_t i = 0; pid > 0 && i < MAX_PROCESSES; i++)
    if (agent->processes[i].pid == pid)
      return &agent->processes[i];
  return NULL;
}

struct stream *process_find_stream(struct agent *agent, uint32_t port)
{
  for (size_t i = 0; i < MAX_PROCESSES; i++)
    for (int j = 0; j < STREAM_COUNT; j++)
      if (agent->processes[i].streams[j].port == port)
        return &agent->processes[i].streams[j];
  return NULL;
}

struct stream *process_stream_of_key(struct agent *agent, uint32_t key)
{
  uint32_t index = key - KEY_STREAMS;

  if (index >= MAX_PROCESSES * STREAM_COUNT)
    return NULL;
  return &agent->processes[index / STREAM_COUNT].streams[index % STREAM_COUNT];
}

/* ---- The end of a process ------------------------------------------------------------------ */

static void answer_wait(struct agent *agent, uint64_t id, const struct process *process)
{
  json_t *body = json_pack("{s:i, s:i, s:b}", "ExitCode", process->code, "Signal", process->signal,
                           "OomKilled", process->is_oom_killed);

  (void)zl_bridge_answer(agent->server, ZL_BRIDGE_WAIT_FOR_PROCESS, id, body, NULL);
}

static bool has_settled(const struct process *process)
{
  for (int i = 0; i < STREAM_COUNT; i++)
    if (!stream_is_settled(&process->streams[i]))
      return false;
  return !process_is_running(process);
}

void process_check(struct process *process)
{
  struct agent *agent = process->agent;
  size_t left = 0;

  if (process->serial == 0 || !has_settled(process))
    return;
  for (size_t i = 0; i < agent->n_waiters; i++) {
    if (agent->waiters[i].process == process)
      answer_wait(agent, agent->waiters[i].id, process);
    else
      agent->waiters[left++] = agent->waiters[i];
  }
  agent->n_waiters = left;
  if (process == agent->container.init)
    container_announce_end(agent);
}

static void end(struct process *process, int status)
{
  process->child = NULL;
  if (WIFSIGNALED(status)) {
    process->signal = WTERMSIG(status);
    process->code = CODE_SIGNAL + process->signal;
  } else {
    process->code = WEXITSTATUS(status);
  }
  if (process == process->agent->container.init)
    container_conclude(process->agent);
  for (int i = 0; i < STREAM_COUNT; i++)
    stream_settle(&process->streams[i]);
  process_check(process);
}

static struct process *find_running(struct agent *agent, pid_t pid)
{
  struct process *process = process_find(agent, pid);

  return process != NULL && process_is_running(process) ? process : NULL;
}

/* The first process of a machine becomes the parent of every orphan. What is the engine's own child
 * is reaped by pid only, so it is looked at before anything is reaped. */
void process_reap(struct agent *agent)
{
  for (;;) {
    siginfo_t info = { .si_pid = 0 };
    struct process *process;
    int status = 0;

    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
      return;
    process = find_running(agent, info.si_pid);
    if (process == NULL)
      (void)waitpid(info.si_pid, NULL, WNOHANG);
    else if (zl_child_reap(process->child, &status, NULL) > 0)
      end(process, status);
    else
      return;
  }
}

/* ---- Waits --------------------------------------------------------------------------------- */

int process_wait(struct process *process, uint64_t id, uint64_t deadline_ns, struct zl_error *err)
{
  struct agent *agent = process->agent;

  if (agent->n_waiters >= ZL_BRIDGE_MAX_CALLS)
    return zl_fail(err, ZL_E_LIMIT, 0, "%d waits are under way already", ZL_BRIDGE_MAX_CALLS);
  agent->waiters[agent->n_waiters++] =
      (struct waiter){ .id = id, .process = process, .deadline_ns = deadline_ns };
  process_check(process);
  return 0;
}

uint64_t process_deadline(const struct agent *agent)
{
  uint64_t first = UINT64_MAX;

  for (size_t i = 0; i < agent->n_waiters; i++)
    if (agent->waiters[i].deadline_ns < first)
      first = agent->waiters[i].deadline_ns;
  return first;
}

void process_expire(struct agent *agent, uint64_t now_ns)
{
  size_t left = 0;

  for (size_t i = 0; i < agent->n_waiters; i++) {
    const struct waiter *waiter = &agent->waiters[i];

    if (waiter->deadline_ns > now_ns) {
      agent->waiters[left++] = *waiter;
      continue;
    }
    refuse_wait(agent, waiter->id, ZL_E_TIMEOUT, "the process has not ended in time");
  }
  agent->n_waiters = left;
}
