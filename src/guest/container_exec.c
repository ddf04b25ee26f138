/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/fd.h"
#include "engine/exec.h"
#include "guest/agent.h"

/* The terminal is read through one descriptor and written through another, so that each can be
 * watched and closed by itself. Takes over `master`. */
static int open_terminal(struct process *process, int master, struct zl_error *err)
{
  int copy = zl_fd_copy(master);

  stream_open(&process->streams[STREAM_OUT], master);
  if (copy < 0)
    return zl_fail(err, ZL_E_SYSTEM, -copy, "terminal");
  stream_open(&process->streams[STREAM_IN], copy);
  return 0;
}

static int connect_streams(struct process *process, const struct execution *execution,
                           struct zl_error *err)
{
  int r = 0;

  for (int i = 0; r == 0 && i < STREAM_COUNT; i++) {
    struct stream *stream = &process->streams[i];

    if (stream->fd >= 0)
      r = stream_connect(stream, execution->ports[i], err);
    else if (execution->ports[i] != 0)
      r = zl_fail(err, ZL_E_INVALID, 0, "the process has no %s",
                  i == STREAM_IN ? "standard input" : "such output");
  }
  return r;
}

/* ---- The first process --------------------------------------------------------------------- */

static void set_size(int terminal, const struct execution *execution)
{
  struct winsize size = { .ws_row = execution->rows, .ws_col = execution->cols };

  if (execution->has_size)
    (void)ioctl(terminal, TIOCSWINSZ, &size);
}

static int check_start(const struct container *c, const struct execution *execution,
                       struct zl_error *err)
{
  if (c->status == CONTAINER_RUNNING)
    return zl_fail(err, ZL_E_CONFLICT, 0, "the container runs already");
  if (c->status != CONTAINER_CREATED)
    return zl_fail(err, ZL_E_CONFLICT, 0, "the container has ended");
  if (c->config->process.terminal != execution->has_console)
    return zl_fail(err, ZL_E_INVALID, 0, "EmulateConsole: contradicts the container's bundle");
  return 0;
}

static int start(struct container *c, const struct execution *execution, struct zl_error *err)
{
  int master = zl_steal_fd(&c->engine.master), r = 0;

  if (master >= 0) {
    set_size(master, execution);
    r = open_terminal(c->init, master, err);
  }
  if (r == 0)
    r = connect_streams(c->init, execution, err);
  return r == 0 ? zl_container_start(&c->engine, err) : r;
}

/* The process has reported why it cannot execute and is about to end; so the container has ended.
 */
static void fail_start(struct agent *agent)
{
  struct container *c = &agent->container;

  zl_child_kill(&c->engine.init);
  process_drop(zl_steal_ptr(&c->init));
  container_end(agent);
}

int container_start(struct agent *agent, const struct execution *execution, struct process **ret,
                    struct zl_error *err)
{
  struct container *c = &agent->container;
  int r = check_start(c, execution, err);

  if (r < 0)
    return r;
  r = start(c, execution, err);
  if (r < 0) {
    fail_start(agent);
    return r;
  }
  c->status = CONTAINER_RUNNING;
  *ret = c->init;
  return 0;
}

/* ---- Further ones -------------------------------------------------------------------------- */

static int check_exec(const struct container *c, struct zl_error *err)
{
  if (c->status != CONTAINER_RUNNING)
    return zl_fail(err, ZL_E_CONFLICT, 0, "the container does not run");
  if (c->is_frozen)
    return zl_fail(err, ZL_E_CONFLICT, 0, "the container is paused");
  return 0;
}

static int parse(const struct execution *execution, struct zl_process **ret, struct zl_error *err)
{
  int r = zl_engine_process_parse(execution->process, "OciProcess", ret, err);

  if (r < 0)
    return r;
  if (execution->has_console)
    (*ret)->terminal = true;
  if (execution->has_size) {
    (*ret)->console_rows = execution->rows;
    (*ret)->console_cols = execution->cols;
  }
  return 0;
}

struct pipes {
  int theirs[STREAM_COUNT];
};

static void pipes_done(struct pipes *pipes)
{
  for (int i = 0; i < STREAM_COUNT; i++)
    zl_fd_closep(&pipes->theirs[i]);
}

/* The machine's, whatever the container has made of its own. */
static int open_null(int *ret, struct zl_error *err)
{
  int fd = zl_fd_open(AT_FDCWD, "/dev/null", O_RDWR, 0);

  if (fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -fd, "opening /dev/null");
  *ret = fd;
  return 0;
}

/* A stream that the host does not ask for is the null device. */
static int open_pipes(struct process *process, const struct execution *execution,
                      struct pipes *pipes, struct zl_error *err)
{
  for (int i = 0; i < STREAM_COUNT; i++) {
    bool is_null = execution->ports[i] == 0;
    int ends[2], r = is_null ? open_null(&pipes->theirs[i], err) : zl_fd_pipe(ends, err);

    if (r < 0)
      return r;
    if (is_null)
      continue;
    pipes->theirs[i] = ends[i == STREAM_IN ? 0 : 1];
    stream_open(&process->streams[i], ends[i == STREAM_IN ? 1 : 0]);
  }
  return 0;
}

/* Who can may read and write what the executed process has not left behind yet. */
static bool can_trace(const struct zl_process *process)
{
  const struct zl_caps *caps = &process->caps;

  return ((caps->bounding | caps->permitted | caps->inheritable) >> CAP_SYS_PTRACE & 1) != 0;
}

static int run(struct container *c, struct process *process, const struct execution *execution,
               const struct zl_process *parsed, struct zl_error *err)
{
  ZL_CLEANUP(pipes_done) struct pipes pipes = { .theirs = { -1, -1, -1 } };
  struct zl_exec_spec spec = { .container = &c->engine,
                               .process = parsed,
                               .config = c->config,
                               .cgroup_fd = c->group.cgroup.unified_fd,
                               .hooks = container_hooks(c) };
  int master = -1, r = 0;

  c->may_trace = c->may_trace || can_trace(&c->config->process) || can_trace(parsed);
  spec.may_share_memory = !c->may_trace;
  if (!parsed->terminal) {
    r = open_pipes(process, execution, &pipes, err);
    if (r == 0)
      r = connect_streams(process, execution, err);
  }
  for (int i = 0; i < STREAM_COUNT; i++)
    spec.stdio[i] = pipes.theirs[i];
  if (r == 0)
    r = zl_exec_start(&spec, &process->own, &master, err);
  if (r < 0 || master < 0)
    return r;
  r = open_terminal(process, master, err);
  return r == 0 ? connect_streams(process, execution, err) : r;
}

int container_exec(struct agent *agent, const struct execution *execution, struct process **ret,
                   struct zl_error *err)
{
  struct container *c = &agent->container;
  zl_autoprocess *parsed = NULL;
  struct process *process = NULL;
  int r = check_exec(c, err);

  if (r == 0)
    r = parse(execution, &parsed, err);
  if (r == 0)
    r = process_new(agent, &process, err);
  if (r != 0)
    return r;
  r = run(c, process, execution, parsed, err);
  if (r < 0) {
    process_drop(process);
    return r;
  }
  process_begin(process, &process->own);
  *ret = process;
  return 0;
}
