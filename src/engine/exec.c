/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/exec.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/log.h"
#include "engine/caps.h"
#include "engine/console.h"
#include "engine/keyring.h"
#include "engine/labels.h"
#include "engine/launch.h"
#include "engine/namespaces.h"
#include "engine/sync.h"

enum {
  EXIT_NO_START = 127
};

/* ---- In the child -------------------------------------------------------------------------- */

/* When the runtime itself runs in a chroot, pivot_root leaves the outer root in place, and that is
 * where setns leads: on no account may a process be executed there. */
static int check_root(const struct stat *expected, struct zl_error *err)
{
  struct stat now;

  if (stat("/", &now) < 0)
    return zl_fail_errno(err, "the container's root");
  if (now.st_dev != expected->st_dev || now.st_ino != expected->st_ino)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0,
                   "the container's namespace has another root than the container: the runtime runs"
                   " in a chroot");
  return 0;
}

/* While this process still sees the host's /proc, and may lower the score. */
static int set_oom_score(const struct zl_exec_spec *spec, struct zl_error *err)
{
  const struct zl_process *own = spec->process, *first = &spec->config->process;

  if (own->has_oom_score_adj)
    return zl_child_set_oom_score(0, own->oom_score_adj, err);
  return first->has_oom_score_adj ? zl_child_set_oom_score(0, first->oom_score_adj, err) : 0;
}

/* From here on the container can see this process: it is not dumpable, holds nothing of the host
 * but the descriptors it needs, and executes nothing before it has given up its privileges. */
static int enter(const struct zl_exec_spec *spec, int sync_fd, struct zl_listener *listener,
                 struct zl_error *err)
{
  const struct zl_container *c = spec->container;
  int keep[6 + ZL_MAX_PRESERVED_FDS] = { sync_fd,        c->init.pidfd,  spec->stdio[0],
                                         spec->stdio[1], spec->stdio[2], listener->sock };
  size_t n = 6;
  const struct zl_container_hooks *hooks = &spec->hooks;
  struct stat root;
  int r = 0;

  for (unsigned i = 0; i < spec->preserved_fds; i++)
    keep[n++] = 3 + (int)i;
  if (spec->process->exec_cpus_initial != NULL)
    r = zl_cpus_apply(spec->process->exec_cpus_initial, err);
  if (r == 0 && hooks->enter != NULL)
    r = hooks->enter(hooks->ctx, err);
  if (r == 0 && spec->process->exec_cpus_final != NULL)
    r = zl_cpus_apply(spec->process->exec_cpus_final, err);
  if (r == 0)
    r = zl_labels_check(spec->config, spec->process, err);
  if (r == 0)
    r = zl_labels_apply(-1, spec->process, err);
  if (r == 0)
    r = zl_listener_describe(listener, spec->config->seccomp, spec->state_json, c->init.pid, err);
  if (r == 0 && fstat(c->rootfs_fd, &root) < 0)
    r = zl_fail_errno(err, "the container's root file system");
  if (r == 0)
    r = set_oom_score(spec, err);
  if (r == 0)
    r = zl_child_begin(keep, n, err);
  if (r < 0)
    return r;
  if (setns(c->init.pidfd, c->namespaces & ~CLONE_NEWPID) < 0)
    return zl_fail_errno(err, "entering the container's namespaces");
  if ((c->namespaces & CLONE_NEWUSER) &&
      (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, 0, 0, 0) < 0 ||
       syscall(SYS_setresuid, 0, 0, 0) < 0))
    return zl_fail_errno(err, "becoming root of the user namespace");
  if (spec->keyring != NULL)
    r = zl_keyring_join(spec->keyring, (c->namespaces & CLONE_NEWUSER) != 0, NULL, err);
  return r == 0 ? check_root(&root, err) : r;
}

static int open_terminal(const struct zl_launch *launch, struct zl_console *ret,
                         struct zl_error *err)
{
  const struct zl_process *p = launch->process;

  if (!p->terminal)
    return 0;
  return zl_console_open(launch->root_fd, p->console_rows, p->console_cols, launch->user.uid, ret,
                         err);
}

static int prepare(const struct zl_exec_spec *spec, int sync_fd, struct zl_listener *listener,
                   struct zl_launch *launch, struct zl_error *err)
{
  struct zl_console console = { .master = -1, .slave = -1 };
  bool terminal = launch->process->terminal;
  int r = enter(spec, sync_fd, listener, err);

  if (r < 0)
    return r;
  launch->root_fd = zl_fd_open(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0);
  if (launch->root_fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -launch->root_fd, "opening the container's root");
  r = zl_launch_prepare(launch, err);
  if (r == 0)
    r = open_terminal(launch, &console, err);
  if (r == 0 && terminal)
    r = zl_sync_send(sync_fd, ZL_BARRIER_READY, 0, &console.master, 1, err);
  zl_fd_closep(&console.master);
  for (int i = 0; i < 3; i++)
    launch->stdio[i] = terminal ? console.slave : spec->stdio[i];
  return r;
}

_Noreturn static void child_main(const struct zl_exec_spec *spec, struct zl_listener *listener,
                                 int sync_fd)
{
  const struct zl_container *c = spec->container;
  struct zl_launch launch = {
    .process = spec->process, .config = spec->config, .cwd_fd = -1, .root_fd = -1
  };
  struct zl_error err = { 0 };
  int r;

  zl_debug("child process in init()");
  launch.filter = c->confined ? &c->filter : NULL;
  launch.is_free = spec->is_free;
  launch.preserved_fds = spec->preserved_fds;
  launch.listener = listener;
  r = prepare(spec, sync_fd, listener, &launch, &err);
  if (r == 0)
    (void)zl_launch_exec(&launch, &err);
  zl_sync_send_error(sync_fd, &err);
  _exit(EXIT_NO_START);
}

/* ---- In the parent ------------------------------------------------------------------------- */

/* A child is born in the pid namespace; the caller's later children are its own again. */
static int clone_inside(const struct zl_exec_spec *spec, struct zl_listener *listener, int ends[2],
                        struct zl_child *ret, struct zl_error *err)
{
  bool inside = (spec->container->namespaces & CLONE_NEWPID) != 0;
  zl_autofd own = -1;
  int r;

  if (inside) {
    own = zl_fd_open(AT_FDCWD, "/proc/self/ns/pid", O_RDONLY, 0);
    if (own < 0)
      return zl_fail(err, ZL_E_SYSTEM, -own, "/proc/self/ns/pid");
    if (setns(spec->container->init.pidfd, CLONE_NEWPID) < 0)
      return zl_fail_errno(err, "entering the container's pid namespace");
  }
  r = zl_child_clone(0, spec->cgroup_fd, ret, err);
  if (r == 0)
    child_main(spec, listener, ends[1]);
  if (inside && setns(own, CLONE_NEWPID) < 0)
    return zl_fail_errno(err, "leaving the container's pid namespace");
  return r < 0 ? r : 0;
}

/* The child goes its way alone: all that comes from it is its terminal, or why it failed. */
static int serve(bool terminal, int sync_fd, int *ret_master, struct zl_error *err)
{
  size_t n_fds = 1;
  int r = 0;

  if (terminal)
    r = zl_sync_expect(sync_fd, ZL_BARRIER_READY, NULL, ret_master, &n_fds, err);
  return r < 0 ? r : zl_sync_await_exec(sync_fd, err);
}

/* What the request does not say is as for the container's first process. */
static void inherit(const struct zl_process *first, struct zl_process *p)
{
  if (!p->has_caps)
    p->caps = first->caps;
  if (first->no_new_privileges)
    p->no_new_privileges = true;
  if (p->apparmor_profile == NULL)
    p->apparmor_profile = first->apparmor_profile;
  if (p->selinux_label == NULL)
    p->selinux_label = first->selinux_label;
  if (!p->scheduler.present)
    p->scheduler = first->scheduler;
  if (p->io_priority == 0)
    p->io_priority = first->io_priority;
  if (p->exec_cpus_initial == NULL)
    p->exec_cpus_initial = first->exec_cpus_initial;
  if (p->exec_cpus_final == NULL)
    p->exec_cpus_final = first->exec_cpus_final;
}

int zl_exec_start(const struct zl_exec_spec *spec, struct zl_child *ret, int *ret_master,
                  struct zl_error *err)
{
  struct zl_process process = *spec->process;
  struct zl_exec_spec whole = *spec;
  struct zl_child child = { .pidfd = -1 };
  struct zl_listener listener = ZL_LISTENER_INIT;
  int ends[2], master = -1, r = zl_sync_pair(ends, err);

  if (r < 0)
    return r;
  inherit(&spec->config->process, &process);
  whole.process = &process;
  zl_caps_learn();
  if (spec->container->confined)
    r = zl_listener_open(spec->config->seccomp, &spec->container->filter, spec->state_json,
                         &listener, err);
  zl_debug("nsexec container setup: namespaces %#x", (unsigned)spec->container->namespaces);
  if (r == 0)
    r = clone_inside(&whole, &listener, ends, &child, err);
  zl_listener_done(&listener);
  zl_fd_closep(&ends[1]);
  zl_debug("setns_init: about to exec '%s'", process.args[0]);
  if (r == 0)
    r = serve(process.terminal, ends[0], &master, err);
  zl_fd_closep(&ends[0]);
  if (r < 0) {
    zl_child_kill(&child);
    zl_fd_closep(&master);
    return r;
  }
  *ret = child;
  *ret_master = master;
  return 0;
}
