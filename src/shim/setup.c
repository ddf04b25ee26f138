/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/setup.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/time.h"
#include "shim/group.h"
#include "shim/network.h"

int setup_stop_signal(const struct shim *shim)
{
  int signal = shim->config->zlayer.stop_signal;

  return signal > 0 ? signal : SIGTERM;
}

static int load_config(struct shim *shim, struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT(ZL_MAX_BUNDLE);
  int r = zl_file_read(shim->dir_fd, "config.json", &text, err);

  if (r < 0)
    return r;
  return zl_engine_config_parse(text.data != NULL ? text.data : "", text.len, &shim->config, err);
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
static int open_output(struct shim *shim, enum stream_id id, int *ret_write, struct zl_error *err)
{
  int ends[2], r = zl_fd_pipe(ends, err);

  if (r < 0)
    return r;
  *ret_write = ends[1];
  if (fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0)
    r = zl_fail_errno(err, "output pipe");
  if (r == 0)
    r = stream_open(&shim->streams[id], ends[0], err);
  if (r < 0)
    zl_fd_closep(&ends[0]);
  return r;
}

static int open_pipes(struct shim *shim, struct stdio *stdio, struct zl_error *err)
{
  int ends[2], r;

  if (shim->config->process.terminal)
    return 0;
  if (shim->config->zlayer.open_stdin) {
    r = zl_fd_pipe(ends, err);
    if (r < 0)
      return r;
    stdio->fds[0] = ends[0];
    shim->stdin_fd = ends[1];
  }
  r = open_output(shim, STREAM_OUT, &stdio->fds[1], err);
  return r < 0 ? r : open_output(shim, STREAM_ERR, &stdio->fds[2], err);
}

/* Non-blocking for every holder, since O_NONBLOCK belongs to the open file. */
static int open_terminal(struct shim *shim, struct zl_error *err)
{
  int r;

  if (shim->container.master < 0)
    return 0;
  if (fcntl(shim->container.master, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
    return zl_fail_errno(err, "terminal");
  shim->stdin_fd = zl_fd_copy(shim->container.master);
  if (shim->stdin_fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -shim->stdin_fd, "terminal");
  r = stream_open(&shim->streams[STREAM_OUT], shim->container.master, err);
  if (r == 0)
    shim->container.master = -1;
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
static bool can_use_netns(const struct shim *shim)
{
  const struct zl_namespace *net = &shim->config->namespaces[ZL_NS_NETWORK];

  return shim->netns_fd >= 0 && net->present && net->path == NULL &&
         !shim->config->namespaces[ZL_NS_USER].present;
}

static int build(struct shim *shim, struct zl_error *err)
{
  ZL_CLEANUP(stdio_done) struct stdio stdio = { .fds = { -1, -1, -1 } };
  struct zl_container_spec spec = { .config = shim->config,
                                    .dir_fd = shim->dir_fd,
                                    .hooks = {
                                        .ctx = shim,
                                        .enter = group_enter,
                                        .join = join,
                                        .configure = configure,
                                    } };
  int r = open_pipes(shim, &stdio, err);

  if (!can_use_netns(shim))
    zl_fd_closep(&shim->netns_fd);
  spec.netns_fd = shim->netns_fd;
  if (r == 0)
    r = group_create(shim, err);
  if (r < 0)
    return r;
  for (int i = 0; i < 3; i++)
    spec.stdio[i] = stdio.fds[i];
  spec.cgroup_fd = group_fd(shim);
  r = zl_container_create(&spec, &shim->container, err);
  if (r < 0 && group_had_oom(shim))
    r = zl_fail(err, ZL_E_LIMIT, 0, "the memory limit is too small to start anything");
  zl_fd_closep(&shim->netns_fd);
  if (r == 0)
    r = zl_proc_start_time(shim->container.init.pid, &shim->start_time, err);
  if (r == 0)
    r = open_terminal(shim, err);
  return r;
}

enum {
  LOCK_PATIENCE_MS = 1000 /* whoever looks whether it is held holds it for a moment */
};

/* Who starts us may have taken the lock already and hand it over: then at no moment of a creation
 * is there a shim without its lock. The lock belongs to the open file, so taking it again through
 * the same one succeeds. */
static int take_lock(struct shim *shim, struct zl_error *err)
{
  if (shim->lock_fd < 0)
    return zl_lock_acquire(shim->dir_fd, "lock", LOCK_PATIENCE_MS * ZL_NS_PER_MS, &shim->lock_fd,
                           err);
  if (flock(shim->lock_fd, LOCK_EX | LOCK_NB) < 0)
    return zl_fail(err, ZL_E_CONFLICT, errno, "the lock handed over is held by another process");
  return 0;
}

static int create(struct shim *shim, struct zl_error *err)
{
  const struct zl_private_config *zlayer;
  int r = take_lock(shim, err);

  if (r == 0)
    r = load_config(shim, err);
  if (r < 0)
    return r;
  zlayer = &shim->config->zlayer;
  r = log_open(&shim->log, shim->dir_fd, zlayer->log_max_bytes, zlayer->log_files, err);
  if (r == 0)
    r = build(shim, err);
  shim->created_at_ns = zl_time_wall();
  return r;
}

int setup_create(struct shim *shim, struct zl_error *err)
{
  int r = create(shim, err);

  if (r < 0) {
    for (int i = 0; i < STREAM_COUNT; i++)
      stream_close(&shim->streams[i]);
    log_close(&shim->log);
    setup_undo(shim);
  }
  return r;
}

/* The root file system is left to the end of this process: unmounting it writes the whole disk's
 * dirty data, which nobody should have to wait for, and the lock goes before it. */
void setup_undo(struct shim *shim)
{
  struct zl_error err = { 0 };

  zl_child_kill(&shim->container.init);
  zl_fd_closep(&shim->stdin_fd);
  if (network_leave(shim, &err) < 0)
    zl_warning("%s", err.msg);
  if (group_remove(shim, &err) < 0)
    zl_warning("%s", err.msg);
}
