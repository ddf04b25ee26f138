/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/child.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

/* Between the call and `run` the child, which has its parent's stack, must not touch anything of
 * its caller's: that is not for a compiler to see to. The 256 bytes are what lies below the stack
 * pointer of a function that calls nothing. */
static long clone3_run(struct clone_args *args, void (*run)(void *), void *arg)
{
#ifdef __x86_64__
  register void (*kept_run)(void *) __asm__("r12") = run;
  register void *kept_arg __asm__("r13") = arg;
  long r = SYS_clone3;

  __asm__ volatile("syscall\n\t"
                   "test %%rax, %%rax\n\t"
                   "jnz 1f\n\t"
                   "sub $256, %%rsp\n\t"
                   "and $-16, %%rsp\n\t"
                   "mov %%r13, %%rdi\n\t"
                   "call *%%r12\n\t"
                   "hlt\n"
                   "1:"
                   : "+a"(r)
                   : "D"(args), "S"(sizeof(*args)), "r"(kept_run), "r"(kept_arg)
                   : "rcx", "r11", "memory", "cc");
  if (r >= 0)
    return r;
  errno = (int)-r;
  return -1;
#else
  long r;

  args->flags &= ~(uint64_t)(CLONE_VM | CLONE_VFORK);
  r = syscall(SYS_clone3, args, sizeof(*args));
  if (r == 0)
    run(arg);
  return r;
#endif
}

static void fill(struct clone_args *args, uint64_t flags, int cgroup_fd, int *pidfd)
{
  *args = (struct clone_args){
    .flags = flags | CLONE_PIDFD,
    .pidfd = (uint64_t)(uintptr_t)pidfd,
    .exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD, /* a sibling has its brother's */
  };
  if (cgroup_fd < 0)
    return;
  args->flags |= CLONE_INTO_CGROUP;
  args->cgroup = (uint64_t)cgroup_fd;
}

int zl_child_clone(int namespaces, int cgroup_fd, struct zl_child *ret, struct zl_error *err)
{
  int pidfd = -1;
  struct clone_args args;
  long pid;

  fill(&args, (unsigned)namespaces, cgroup_fd, &pidfd);
  pid = syscall(SYS_clone3, &args, sizeof(args));
  if (pid < 0)
    return zl_fail_errno(err, "starting a process in new namespaces");
  if (pid == 0)
    return 0;
  ret->pid = (pid_t)pid;
  ret->pidfd = pidfd;
  return 1;
}

int zl_child_run(int flags, int cgroup_fd, void (*run)(void *), void *arg, struct zl_child *ret,
                 struct zl_error *err)
{
  int pidfd = -1;
  struct clone_args args;
  long pid;

  fill(&args, (unsigned)flags | CLONE_VM | CLONE_VFORK, cgroup_fd, &pidfd);
  pid = clone3_run(&args, run, arg);
  if (pid < 0)
    return zl_fail_errno(err, "starting a process");
  ret->pid = (pid_t)pid;
  ret->pidfd = pidfd;
  return 1;
}

static int compare_ints(const void *a, const void *b)
{
  int left = *(const int *)a, right = *(const int *)b;

  return (left > right) - (left < right);
}

/* 0, 1 and 2 stay in use whatever they are, so that no other descriptor gets one of these numbers
 * and is then overwritten when the program's streams are put there. */
static int close_others(int *keep, size_t n)
{
  unsigned next = 3;

  qsort(keep, n, sizeof(*keep), compare_ints);
  for (size_t i = 0; i < n; i++) {
    if (keep[i] < (int)next)
      continue;
    if ((unsigned)keep[i] > next && close_range(next, (unsigned)keep[i] - 1, 0) < 0)
      return -1;
    next = (unsigned)keep[i] + 1;
  }
  return close_range(next, ~0U, 0);
}

int zl_child_begin(int *keep, size_t n, struct zl_error *err)
{
  sigset_t none;

  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
    return zl_fail_errno(err, "binding the process to its parent");
  (void)sigemptyset(&none);
  (void)sigprocmask(SIG_SETMASK, &none, NULL);
  (void)umask(022); /* what is made inside from here on is for the container's users */
  if (close_others(keep, n) < 0)
    return zl_fail_errno(err, "closing descriptors");
  if (setsid() < 0)
    return zl_fail_errno(err, "starting a session");
  return 0;
}

void zl_child_kill(struct zl_child *child)
{
  siginfo_t info;

  if (child->pidfd < 0)
    return;
  (void)pidfd_send_signal(child->pidfd, SIGKILL, NULL, 0);
  while (waitid(P_PIDFD, (id_t)child->pidfd, &info, WEXITED) < 0 && errno == EINTR)
    continue;
  zl_fd_closep(&child->pidfd);
}

int zl_child_reap(struct zl_child *child, int *ret_status, struct zl_error *err)
{
  pid_t r = waitpid(child->pid, ret_status, WNOHANG);

  if (r < 0)
    return zl_fail_errno(err, "waiting for process %d", (int)child->pid);
  if (r > 0)
    zl_fd_closep(&child->pidfd);
  return r > 0;
}

int zl_child_set_oom_score(pid_t pid, int score, struct zl_error *err)
{
  char path[48], value[16];

  if (pid == 0)
    (void)stpcpy(path, "/proc/self/oom_score_adj");
  else
    (void)snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid);
  (void)snprintf(value, sizeof(value), "%d", score);
  return zl_file_poke(AT_FDCWD, path, value, err);
}
