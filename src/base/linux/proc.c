/* SPDX-License-Identifier: Apache-2.0 */
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/limits.h"

enum {
  CHILD_STACK = 64 << 10,
  MAX_CHILD_FD = 64
};

struct child {
  const struct zl_proc_options *opt;
  sigset_t mask;
  int null_fd;
  volatile int failure; /* shared with the parent by CLONE_VM */
  char *stack;          /* of the process that executes */
  pid_t parent;         /* who starts it */
  pid_t pid;            /* that process, and its */
  int pidfd;
};

/* The child leaves its stack by exec, in the middle of functions: what a sanitizer has marked there
 * would stay marked for the next user of that memory. */
#define NO_SANITIZE __attribute__((no_sanitize("address"), noinline))

NO_SANITIZE static bool is_target(const struct zl_proc_options *opt, int fd)
{
  for (size_t i = 0; i < opt->n_fds; i++)
    if (opt->fds[i].to == fd)
      return true;
  return false;
}

/* From there to before this one, which stays. */
NO_SANITIZE static void close_up_to(int kept, unsigned *from)
{
  if ((unsigned)kept > *from)
    (void)close_range(*from, (unsigned)kept - 1, 0);
  *from = (unsigned)kept + 1;
}

/* All but the targets and what is executed. Exec would close them too, but the kernel lets the
 * caller go on before: for an instant somebody would find a lock held that he has given back. */
NO_SANITIZE static int close_others(const struct zl_proc_options *opt, int exec_fd)
{
  unsigned from = 3;

  for (int fd = 3; fd < MAX_CHILD_FD; fd++)
    if (is_target(opt, fd))
      close_up_to(fd, &from);
  if (exec_fd >= 0)
    close_up_to(exec_fd, &from);
  return close_range(from, ~0U, 0) < 0 ? errno : 0;
}

/* Sources are first moved above every target, so that no dup2 can overwrite a source. */
NO_SANITIZE static int arrange_fds(const struct child *c, int *exec_fd)
{
  const struct zl_proc_options *opt = c->opt;
  int moved[MAX_CHILD_FD];
  int null_fd = fcntl(c->null_fd, F_DUPFD_CLOEXEC, MAX_CHILD_FD);

  if (null_fd < 0 || opt->n_fds > MAX_CHILD_FD)
    return null_fd < 0 ? errno : E2BIG;
  if (*exec_fd >= 0) {
    *exec_fd = fcntl(*exec_fd, F_DUPFD_CLOEXEC, MAX_CHILD_FD);
    if (*exec_fd < 0)
      return errno;
  }
  for (size_t i = 0; i < opt->n_fds; i++) {
    moved[i] = fcntl(opt->fds[i].from, F_DUPFD_CLOEXEC, MAX_CHILD_FD);
    if (moved[i] < 0)
      return errno;
  }
  if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
    return errno;
  for (int fd = 0; fd <= 2; fd++)
    if (dup2(null_fd, fd) < 0)
      return errno;
  for (size_t i = 0; i < opt->n_fds; i++)
    if (dup2(moved[i], opt->fds[i].to) < 0)
      return errno;
  return close_others(opt, *exec_fd);
}

NO_SANITIZE void zl_proc_default_signals(void)
{
  /* As the kernel has it, all zero: the C library refuses to touch the signals that it uses. */
  const uint64_t action[4] = { 0 };

  for (int sig = 1; sig < NSIG; sig++)
    (void)syscall(SYS_rt_sigaction, sig, action, NULL, sizeof(uint64_t));
}

/* Runs on the parent's memory with its own stack until exec: nothing here may touch shared state
 * except c->failure. */
NO_SANITIZE static int child_main(void *arg)
{
  struct child *c = arg;
  static const char *const no_env[] = { NULL };
  const char *const *envp = c->opt->envp != NULL ? c->opt->envp : no_env;
  sigset_t none;
  int exec_fd = c->opt->exec_fd;

  zl_proc_default_signals();
  if (c->opt->new_session)
    (void)setsid();
  /* The signal is not sent for a parent that has gone before. */
  if (c->opt->bound && (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != c->parent))
    _exit(127);
  c->failure = arrange_fds(c, &exec_fd);
  if (c->failure != 0)
    _exit(127);
  (void)sigemptyset(&none);
  (void)sigprocmask(SIG_SETMASK, &none, NULL);
  if (exec_fd >= 0)
    (void)syscall(SYS_execveat, exec_fd, "", c->opt->argv, envp, AT_EMPTY_PATH);
  else
    (void)execve(c->opt->path, (char *const *)(uintptr_t)c->opt->argv,
                 (char *const *)(uintptr_t)envp);
  c->failure = errno;
  _exit(127);
}

static int exec_failure(const char *path, int os_error, struct zl_error *err)
{
  enum zl_code code = os_error == ENOENT                          ? ZL_E_NO_COMMAND
                      : os_error == EACCES || os_error == ENOEXEC ? ZL_E_NOT_EXECUTABLE
                                                                  : ZL_E_SYSTEM;

  return zl_fail(err, code, os_error, "executing '%s'", path);
}

/* CLONE_VM|CLONE_VFORK: no page tables are copied, and the caller waits for exec. */
static int start_child(struct child *c)
{
  c->pid = clone(child_main, c->stack + CHILD_STACK, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD,
                 c, &c->pidfd);
  return c->pid < 0 ? errno : 0;
}

/* A process in between that is gone at once, so that the child becomes init's. It shares our
 * descriptors, or the child's pidfd would end up in a table of its own. */
static int middle_main(void *arg)
{
  struct child *c = arg;
  int os_error = start_child(c);

  if (os_error != 0)
    c->failure = os_error;
  _exit(0);
}

static int start_detached(struct child *c)
{
  /* Without an exit signal: the program we are part of must not see a child of its own end. */
  pid_t middle = clone(middle_main, c->stack + 2 * (size_t)CHILD_STACK,
                       CLONE_VM | CLONE_VFORK | CLONE_FILES, c);
  int os_error = errno;

  if (middle < 0)
    return os_error;
  while (waitpid(middle, NULL, __WALL) < 0 && errno == EINTR)
    ;
  return c->pid < 0 ? c->failure : 0;
}

int zl_proc_spawn(const struct zl_proc_options *opt, struct zl_proc *ret, struct zl_error *err)
{
  struct child c = { .opt = opt, .null_fd = -1, .parent = getpid(), .pid = -1, .pidfd = -1 };
  zl_autofd null_fd = zl_fd_open(AT_FDCWD, "/dev/null", O_RDWR, 0);
  sigset_t all;
  int os_error;

  if (null_fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -null_fd, "opening /dev/null");
  c.null_fd = null_fd;
  c.stack = mmap(NULL, 2 * (size_t)CHILD_STACK, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (c.stack == MAP_FAILED)
    return zl_fail_errno(err, "stack of a child process");
  (void)sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, &c.mask);
  os_error = opt->detached ? start_detached(&c) : start_child(&c);
  (void)pthread_sigmask(SIG_SETMASK, &c.mask, NULL);
  (void)munmap(c.stack, 2 * (size_t)CHILD_STACK);
  if (os_error != 0)
    return zl_fail(err, ZL_E_SYSTEM, os_error, "starting '%s'", opt->path);
  if (c.failure != 0) {
    if (!opt->detached)
      (void)waitpid(c.pid, NULL, 0);
    (void)close(c.pidfd);
    return exec_failure(opt->path, c.failure, err);
  }
  ret->pid = c.pid;
  ret->pidfd = c.pidfd;
  return 0;
}

int zl_proc_wait(struct zl_proc *proc, int *ret_status, struct zl_error *err)
{
  int status;
  pid_t r;

  do
    r = waitpid(proc->pid, &status, 0);
  while (r < 0 && errno == EINTR);
  zl_fd_closep(&proc->pidfd);
  if (r < 0)
    return zl_fail_errno(err, "waiting for process %d", (int)proc->pid);
  *ret_status = status;
  return 0;
}

void zl_proc_kill(struct zl_proc *proc)
{
  int status;

  if (proc->pidfd < 0)
    return;
  (void)pidfd_send_signal(proc->pidfd, SIGKILL, NULL, 0);
  (void)zl_proc_wait(proc, &status, NULL);
}

_Noreturn void zl_proc_die(void)
{
  (void)kill(getpid(), SIGKILL);
  _exit(128 + SIGKILL);
}

int zl_proc_start_time(pid_t pid, uint64_t *ret_ticks, struct zl_error *err)
{
  zl_autobuf buf = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  char path[48];
  const char *p;
  int r;

  (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
  r = zl_file_read(AT_FDCWD, path, &buf, err);
  if (r < 0)
    return r;
  p = strrchr(buf.data, ')'); /* the name before it may hold anything, also ')' */
  for (int field = 2; p != NULL && field < 22; field++) {
    p = strchr(p, ' ');
    p = p != NULL ? p + 1 : NULL;
  }
  if (p == NULL)
    return zl_fail(err, ZL_E_SYSTEM, 0, "'%s' has no start time", path);
  *ret_ticks = strtoull(p, NULL, 10);
  return 0;
}
