/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/container.h"

#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>

#include "base/log.h"
#include "base/path.h"
#include "base/time.h"
#include "guest/agent.h"

/* A killed process needs as long as it takes to tear its memory down. */
#define KILL_WAIT_NS (10 * ZL_NS_PER_S)

void container_init(struct container *container)
{
  *container =
      (struct container){ .group = GROUP_INIT, .engine = ZL_CONTAINER_INIT, .scratch_fd = -1 };
}

int container_expect(const struct agent *agent, const char *id, struct zl_error *err)
{
  const struct container *c = &agent->container;

  if (c->status == CONTAINER_NONE || strcmp(c->id, id) != 0)
    return zl_fail(err, ZL_E_NOT_FOUND, 0, "no container '%.100s' in this machine", id);
  return 0;
}

/* ---- Signals ------------------------------------------------------------------------------- */

static int kill_all(struct container *c, struct zl_error *err)
{
  int pidfd = c->engine.init.pidfd;

  if (pidfd >= 0 && pidfd_send_signal(pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
    return zl_fail_errno(err, "killing the container");
  return c->group.exists ? zl_cgroup_kill(&c->group.cgroup, err) : 0;
}

int container_freeze(struct agent *agent, bool is_frozen, struct zl_error *err)
{
  struct container *c = &agent->container;
  int r;

  if (c->status != CONTAINER_RUNNING)
    return zl_fail(err, ZL_E_CONFLICT, 0, "the container does not run");
  if (!c->group.exists)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0, "a container without cgroup cannot be paused");
  if (c->is_frozen == is_frozen)
    return 0;
  r = zl_cgroup_freeze(&c->group.cgroup, is_frozen, err);
  if (r == 0)
    c->is_frozen = is_frozen;
  return r;
}

int container_signal(struct agent *agent, const struct process *process, int signal,
                     struct zl_error *err)
{
  struct container *c = &agent->container;

  if (!process_is_running(process))
    return zl_fail(err, ZL_E_CONFLICT, 0, "the process has ended");
  if (process->is_init && (signal == SIGTERM || signal == SIGKILL))
    c->last_signal = signal;
  if (process->is_init && signal == SIGKILL) {
    if (c->is_frozen) /* a frozen process of a v1 cgroup does not die */
      (void)container_freeze(agent, false, NULL);
    return kill_all(c, err);
  }
  if (pidfd_send_signal(process->child->pidfd, signal, NULL, 0) < 0 && errno != ESRCH)
    return zl_fail_errno(err, "sending signal %d", signal);
  return 0;
}

int container_stop(struct agent *agent, bool is_forced, struct zl_error *err)
{
  struct container *c = &agent->container;
  int signal = is_forced ? SIGKILL : c->config->zlayer.stop_signal, r;

  if (c->status == CONTAINER_STOPPED)
    return 0;
  if (c->status == CONTAINER_PREPARED || c->status == CONTAINER_CREATED) {
    c->last_signal = SIGKILL;
    return kill_all(c, err);
  }
  r = container_signal(agent, c->init, signal > 0 ? signal : SIGTERM, err);
  c->last_signal = is_forced ? SIGKILL : SIGTERM;
  if (c->is_frozen) /* a frozen process cannot end itself */
    (void)container_freeze(agent, false, NULL);
  return r;
}

/* ---- The end ------------------------------------------------------------------------------- */

/* A SIGKILL of somebody in the machine and one of the kernel's OOM killer look alike; the counter
 * of the cgroup tells. */
static void tell_oom_apart(struct container *c)
{
  struct process *init = c->init;

  if ((init->signal != SIGKILL && init->code != 128 + SIGKILL) || !group_had_oom(&c->group))
    return;
  init->is_oom_killed = true;
  init->signal = SIGKILL;
}

/* The kernel ends a pid namespace with its first process, and reaps that one last. */
static bool ends_with_init(const struct container *c)
{
  const struct zl_namespace *pid = &c->config->namespaces[ZL_NS_PID];

  return pid->present && pid->path == NULL;
}

static void kill_rest(struct container *c)
{
  struct zl_error err = { 0 };

  if (ends_with_init(c) || !c->group.exists)
    return;
  if (zl_cgroup_kill(&c->group.cgroup, &err) < 0 ||
      zl_cgroup_wait_empty(&c->group.cgroup, KILL_WAIT_NS, &err) < 0)
    zl_warning("%s", err.msg);
}

void container_end(struct agent *agent)
{
  struct container *c = &agent->container;

  kill_rest(c);
  zl_fd_closep(&c->engine.slave); /* with it open the terminal would never be at its end */
  c->status = CONTAINER_STOPPED;
  c->is_frozen = false;
}

void container_conclude(struct agent *agent)
{
  tell_oom_apart(&agent->container);
  container_end(agent);
}

void container_announce_end(struct agent *agent)
{
  struct container *c = &agent->container;
  const char *type = c->last_signal == SIGKILL   ? "ForcedExit"
                     : c->last_signal == SIGTERM ? "GracefulExit"
                                                 : "UnexpectedExit";

  if (c->is_announced)
    return;
  c->is_announced = true;
  (void)zl_bridge_notify(agent->server, c->id, type, NULL);
}

void container_remove(struct agent *agent)
{
  struct container *c = &agent->container;

  (void)kill_all(c, NULL);
  zl_container_done(&c->engine);
  process_drop_all(agent);
  group_remove(&c->group);
  zl_engine_config_free(c->config);
  zl_fd_closep(&c->scratch_fd);
  container_init(c);
}

int container_delete(struct agent *agent, struct zl_error *err)
{
  zl_autofd scratch = zl_steal_fd(&agent->container.scratch_fd);
  int upper = 0, work = 0;

  container_remove(agent);
  if (!spares_pop(agent) && agent->is_machine && group_prepare(&agent->container.group, err) < 0)
    return -(int)err->code;
  if (scratch < 0)
    return 0;
  upper = zl_path_remove_tree(scratch, "upper");
  work = zl_path_remove_tree(scratch, "work");
  if (upper < 0 || work < 0)
    return zl_fail(err, ZL_E_SYSTEM, upper < 0 ? -upper : -work, "emptying the scratch directory");
  return 0;
}
