/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/process/setup.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/proc.h"
#include "shim/process/group.h"
#include "shim/process/network.h"

int setup_load(struct shim *shim, struct zl_error *err)
{
  struct process_shim *self = process_of(shim);
  const struct zl_private_config *zlayer;
  zl_autobuf text = ZL_BUF_INIT(ZL_MAX_BUNDLE);
  int r = zl_file_read(shim->dir_fd, "config.json", &text, err);

  if (r == 0)
    r = zl_engine_config_parse(text.data != NULL ? text.data : "", text.len, &self->config, err);
  if (r < 0)
    return r;
  zlayer = &self->config->zlayer;
  shim->settings =
      (struct settings){ .terminal = self->config->process.terminal,
                         .stop_signal = zlayer->stop_signal > 0 ? zlayer->stop_signal : SIGTERM,
                         .log_max_bytes = zlayer->log_max_bytes,
                         .log_files = zlayer->log_files };
  return 0;
}

/* ---- Streams ------------------------------------------------------------------------------- */

/* The workload's ends, until it has them. */
struct stdio {
  int fds[3];
};

static void stdio_done(struct stdio *stdio)
{
  for (int i = 0; i < 3; i++)
    zl_fd_closep(&stdio->fds[i]);
}

/* Only our own end is non-blocking: programs do not expect that of their standard streams. */
static int open_output(struct process_shim *self, enum stream_id id, int *ret_write,
                       struct zl_error *err)
{
  int ends[2], r = zl_fd_pipe(ends, err);

  if (r < 0)
    return r;
  *ret_write = ends[1];
  if (fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0)
    r = zl_fail_errno(err, "output pipe");
  if (r == 0)
    r = stream_open(&self->shim.streams[id], ends[0], err);
  if (r < 0)
    zl_fd_closep(&ends[0]);
  return r;
}

static int open_pipes(struct process_shim *self, struct stdio *stdio, struct zl_error *err)
{
  int ends[2], r;

  if (self->config->process.terminal)
    return 0;
  if (self->config->zlayer.open_stdin) {
    r = zl_fd_pipe(ends, err);
    if (r < 0)
      return r;
    stdio->fds[0] = ends[0];
    self->shim.stdin_fd = ends[1];
  }
  r = open_output(self, STREAM_OUT, &stdio->fds[1], err);
  return r < 0 ? r : open_output(self, STREAM_ERR, &stdio->fds[2], err);
}

/* Non-blocking for every holder, since O_NONBLOCK belongs to the open file. */
static int open_terminal(struct process_shim *self, struct zl_error *err)
{
  struct shim *shim = &self->shim;
  int r;

  if (self->container.master < 0)
    return 0;
  if (fcntl(self->container.master, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
    return zl_fail_errno(err, "terminal");
  shim->stdin_fd = zl_fd_copy(self->container.master);
  if (shim->stdin_fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -shim->stdin_fd, "terminal");
  r = stream_open(&shim->streams[STREAM_OUT], self->container.master, err);
  if (r == 0)
    self->container.master = -1;
  return r;
}

/* ---- The container ------------------------------------------------------------------------- */

static int join(void *ctx, const struct zl_child *init, struct zl_error *err)
{
  return network_join(ctx, init, err);
}

static int configure(void *ctx, int proc_fd, struct zl_error *err)
{
  return network_configure(ctx, proc_fd, err);
}

/* A network namespace belongs to the user namespace it was made in: one of the container's own has
 * to be made by the container. */
static bool can_use_netns(const struct process_shim *self)
{
  const struct zl_namespace *net = &self->config->namespaces[ZL_NS_NETWORK];

  return self->netns_fd >= 0 && net->present && net->path == NULL &&
         !self->config->namespaces[ZL_NS_USER].present;
}

int setup_create(struct shim *shim, struct zl_error *err)
{
  struct process_shim *self = process_of(shim);
  ZL_CLEANUP(stdio_done) struct stdio stdio = { .fds = { -1, -1, -1 } };
  struct zl_container_spec spec = { .config = self->config,
                                    .gate_fd = -1,
                                    .dir_fd = shim->dir_fd,
                                    .hooks = {
                                        .ctx = self,
                                        .enter = group_enter,
                                        .join = join,
                                        .configure = configure,
                                    } };
  int r = open_pipes(self, &stdio, err);

  if (!can_use_netns(self))
    zl_fd_closep(&self->netns_fd);
  spec.netns_fd = self->netns_fd;
  if (r == 0)
    r = group_create(self, err);
  if (r < 0)
    return r;
  for (int i = 0; i < 3; i++)
    spec.stdio[i] = stdio.fds[i];
  spec.cgroup_fd = group_fd(self);
  r = zl_container_create(&spec, &self->container, err);
  if (r < 0 && group_had_oom(self))
    r = zl_fail(err, ZL_E_LIMIT, 0, "the memory limit is too small to start anything");
  zl_fd_closep(&self->netns_fd);
  shim->pid = self->container.init.pid;
  if (r == 0)
    r = zl_proc_start_time(shim->pid, &shim->start_time, err);
  if (r == 0)
    r = open_terminal(self, err);
  return r;
}

/* The root file system is left to the end of this process: unmounting it writes the whole disk's
 * dirty data, which nobody should have to wait for, and the lock goes before it. */
void setup_undo(struct shim *shim)
{
  struct process_shim *self = process_of(shim);
  struct zl_error err = { 0 };

  zl_child_kill(&self->container.init);
  zl_fd_closep(&shim->stdin_fd);
  if (network_leave(self, &err) < 0)
    zl_warning("%s", err.msg);
  if (group_remove(self, &err) < 0)
    zl_warning("%s", err.msg);
}
