/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/exec.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
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

/* How the process comes into being. */
struct birth {
  struct zl_listener *listener;
  int sync_fd;    /* to the caller */
  int pid_fd;     /* where the helper says what number the process has on the host */
  int own_pid[2]; /* the same for the process itself; only with a listener */
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

/* What goes on: the streams, and the descriptors that it is told things by. */
static int keep_few(const struct zl_exec_spec *spec, const struct birth *birth,
                    struct zl_error *err)
{
  int keep[9 + ZL_MAX_PRESERVED_FDS] = { birth->sync_fd,   spec->container->init.pidfd,
                                         spec->stdio[0],   spec->stdio[1],
                                         spec->stdio[2],   birth->listener->sock,
                                         birth->pid_fd,    birth->own_pid[0],
                                         birth->own_pid[1] };
  size_t n = 9;

  for (unsigned i = 0; i < spec->preserved_fds; i++)
    keep[n++] = 3 + (int)i;
  return zl_child_begin(keep, n, err);
}

/* At its end the process is not dumpable, holds nothing of the host but the descriptors it needs,
 * and has left its files behind. Only then may the container see one of us. */
static int enter(const struct zl_exec_spec *spec, const struct birth *birth, struct zl_error *err)
{
  const struct zl_container *c = spec->container;
  const struct zl_container_hooks *hooks = &spec->hooks;
  struct stat root;
  int r = 0;

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
  if (r == 0 && fstat(c->rootfs_fd, &root) < 0)
    r = zl_fail_errno(err, "the container's root file system");
  if (r == 0)
    r = set_oom_score(spec, err);
  if (r == 0)
    r = keep_few(spec, birth, err);
  if (r < 0)
    return r;
  if (setns(c->init.pidfd, c->namespaces) < 0)
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

/* A session and a parent's death are nobody's heritage. */
static int begin_again(struct zl_error *err)
{
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
    return zl_fail_errno(err, "binding the process to its parent");
  return setsid() < 0 ? zl_fail_errno(err, "starting a session") : 0;
}

static int describe(const struct zl_exec_spec *spec, struct birth *birth, struct zl_error *err)
{
  pid_t pid = 0;

  if (birth->listener->sock < 0)
    return 0;
  zl_fd_closep(&birth->own_pid[1]);
  if (zl_fd_read_full(birth->own_pid[0], &pid, sizeof(pid)) != (ssize_t)sizeof(pid))
    return zl_fail(err, ZL_E_SYSTEM, 0, "linux.seccomp.listenerPath: the helper has died");
  zl_fd_closep(&birth->own_pid[0]);
  return zl_listener_describe(birth->listener, spec->config->seccomp, spec->state_json, pid,
                              spec->container->init.pid, err);
}

static int prepare(const struct zl_exec_spec *spec, struct birth *birth, struct zl_launch *launch,
                   struct zl_error *err)
{
  struct zl_console console = { .master = -1, .slave = -1 };
  bool terminal = launch->process->terminal;
  int r = begin_again(err);

  if (r == 0)
    r = describe(spec, birth, err);
  if (r < 0)
    return r;
  launch->root_fd = zl_fd_open(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0);
  if (launch->root_fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -launch->root_fd, "opening the container's root");
  r = zl_launch_prepare(launch, err);
  if (r == 0)
    r = open_terminal(launch, &console, err);
  if (r == 0 && terminal)
    r = zl_sync_send(birth->sync_fd, ZL_BARRIER_READY, 0, &console.master, 1, err);
  zl_fd_closep(&console.master);
  for (int i = 0; i < 3; i++)
    launch->stdio[i] = terminal ? console.slave : spec->stdio[i];
  return r;
}

/* What the helper hands to the process that it bears. */
struct child {
  const struct zl_exec_spec *spec;
  struct birth birth;
  struct zl_launch launch;
};

static struct child child_init(const struct zl_exec_spec *spec, const struct birth *birth)
{
  const struct zl_container *c = spec->container;

  return (struct child){ .spec = spec,
                         .birth = *birth,
                         .launch = { .process = spec->process,
                                     .config = spec->config,
                                     .filter = c->confined ? &c->filter : NULL,
                                     .is_free = spec->is_free,
                                     .preserved_fds = spec->preserved_fds,
                                     .listener = birth->listener,
                                     .cwd_fd = -1,
                                     .root_fd = -1 } };
}

_Noreturn static void child_main(struct child *child)
{
  struct birth *birth = &child->birth;
  struct zl_error err = { 0 };
  int r;

  zl_fd_closep(&birth->pid_fd);
  zl_debug("child process in init()");
  r = prepare(child->spec, birth, &child->launch, &err);
  if (r == 0)
    (void)zl_launch_exec(&child->launch, &err);
  zl_sync_send_error(birth->sync_fd, &err);
  _exit(EXIT_NO_START);
}

static void child_run(void *arg)
{
  child_main(arg);
}

/* Who is told of a listener's process needs the helper beside it. */
static bool shares_memory(const struct zl_exec_spec *spec, const struct birth *birth)
{
  return spec->may_share_memory && birth->listener->sock < 0 &&
         !(spec->container->namespaces & CLONE_NEWTIME);
}

static int bear(const struct zl_exec_spec *spec, const struct birth *birth, struct zl_child *ret,
                struct zl_error *err)
{
  struct child child = child_init(spec, birth);
  int r;

  if (!shares_memory(spec, birth)) {
    r = zl_child_clone(CLONE_PARENT, -1, ret, err);
    if (r == 0)
      child_main(&child);
    return r;
  }
  r = zl_child_run(CLONE_PARENT, -1, child_run, &child, ret, err);
  child.launch.cwd_fd = -1; /* its own table of descriptors had it */
  zl_launch_done(&child.launch);
  return r;
}

/* The container's pid namespace is entered by birth alone. Whoever is born there is seen by the
 * container at once, and one that may trace others (CAP_SYS_PTRACE) sees its files too: so it is
 * born by somebody who has left the host's behind, as a child of the caller. */
_Noreturn static void helper_main(const struct zl_exec_spec *spec, const struct birth *birth)
{
  struct zl_child child = { .pidfd = -1 };
  struct zl_error err = { 0 };
  int r = enter(spec, birth, &err);

  /* The kernel may have set it again as the ids changed (fs.suid_dumpable); it is inherited. */
  if (r == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
    r = zl_fail_errno(&err, "hiding the process from the container");
  if (r == 0)
    r = bear(spec, birth, &child, &err);
  if (r < 0) {
    zl_sync_send_error(birth->sync_fd, &err);
    _exit(EXIT_NO_START);
  }
  if (birth->listener->sock >= 0)
    (void)zl_fd_write_full(birth->own_pid[1], &child.pid, sizeof(child.pid));
  (void)zl_fd_write_full(birth->pid_fd, &child.pid, sizeof(child.pid));
  _exit(0);
}

struct helper {
  const struct zl_exec_spec *spec;
  const struct birth *birth;
};

static void helper_run(void *arg)
{
  const struct helper *helper = arg;

  helper_main(helper->spec, helper->birth);
}

/* ---- In the parent ------------------------------------------------------------------------- */

/* The child is ours, so its number is nobody else's until we reap it. */
static int adopt(int pid_fd, int sync_fd, struct zl_child *ret, struct zl_error *err)
{
  pid_t pid = 0;

  if (zl_fd_read_full(pid_fd, &pid, sizeof(pid)) != (ssize_t)sizeof(pid))
    return zl_sync_expect(sync_fd, ZL_BARRIER_READY, NULL, NULL, NULL, err);
  ret->pid = pid;
  ret->pidfd = pidfd_open(pid, 0);
  return ret->pidfd < 0 ? zl_fail_errno(err, "process %d", (int)pid) : 0;
}

static int make_pipes(struct birth *birth, int *ret_fd, struct zl_error *err)
{
  int ends[2], r = zl_fd_pipe(ends, err);

  if (r < 0)
    return r;
  birth->pid_fd = ends[1];
  *ret_fd = ends[0];
  return birth->listener->sock >= 0 ? zl_fd_pipe(birth->own_pid, err) : 0;
}

static void close_pipes(struct birth *birth)
{
  zl_fd_closep(&birth->own_pid[0]);
  zl_fd_closep(&birth->own_pid[1]);
  zl_fd_closep(&birth->pid_fd);
  zl_fd_closep(&birth->sync_fd);
}

/* It runs in our memory where it may: a process that enters a time namespace must share its with
 * nobody. Of what it does to itself, being dumpable belongs to the memory. */
static int run_helper(const struct zl_exec_spec *spec, const struct birth *birth,
                      struct zl_child *ret, struct zl_error *err)
{
  struct helper helper = { .spec = spec, .birth = birth };
  int dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), r;

  if (spec->container->namespaces & CLONE_NEWTIME) {
    r = zl_child_clone(0, spec->cgroup_fd, ret, err);
    if (r == 0)
      helper_main(spec, birth);
    return r;
  }
  r = zl_child_run(0, spec->cgroup_fd, helper_run, &helper, ret, err);
  (void)prctl(PR_SET_DUMPABLE, dumpable, 0, 0, 0);
  return r;
}

static int clone_inside(const struct zl_exec_spec *spec, struct birth *birth, int sync_fd,
                        struct zl_child *ret, struct zl_error *err)
{
  struct zl_child helper = { .pidfd = -1 };
  zl_autofd pid_fd = -1;
  int r = make_pipes(birth, &pid_fd, err);

  if (r == 0)
    r = run_helper(spec, birth, &helper, err);
  close_pipes(birth);
  if (r > 0)
    r = adopt(pid_fd, sync_fd, ret, err);
  zl_child_kill(&helper);
  return r;
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
  struct birth birth = { .listener = &listener, .pid_fd = -1, .own_pid = { -1, -1 } };
  int ends[2], master = -1, r = zl_sync_pair(ends, err);

  if (r < 0)
    return r;
  inherit(&spec->config->process, &process);
  whole.process = &process;
  birth.sync_fd = ends[1];
  zl_caps_learn();
  if (spec->container->confined)
    r = zl_listener_open(spec->config->seccomp, &spec->container->filter, spec->state_json,
                         &listener, err);
  zl_debug("nsexec container setup: namespaces %#x", (unsigned)spec->container->namespaces);
  if (r == 0)
    r = clone_inside(&whole, &birth, ends[0], &child, err);
  zl_listener_done(&listener);
  zl_fd_closep(&birth.sync_fd);
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
