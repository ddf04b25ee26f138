/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/reaper.h"

#include <linux/capability.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "engine/sync.h"

enum {
  EXIT_NO_START = 127
};

static void run_program(struct zl_launch *launch, int sync_fd)
{
  struct zl_error err = { 0 };

  if (setsid() < 0)
    (void)zl_fail_errno(&err, "starting a session");
  else
    (void)zl_launch_exec(launch, &err);
  zl_sync_send_error(sync_fd, &err);
  _exit(EXIT_NO_START);
}

/* Signalling processes of other users is all that PID 1 still needs. */
static void keep_kill_only(void)
{
  struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
  struct __user_cap_data_struct data[2] = {
    { .permitted = 1U << CAP_KILL, .effective = 1U << CAP_KILL },
  };

  (void)syscall(SYS_capset, &header, data);
}

static int exit_code(int status)
{
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* True when `main_child` was among those that had ended. */
static bool reap(pid_t main_child, int *ret_status)
{
  bool ended = false;
  int status;
  pid_t pid;

  while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
    if (pid != main_child)
      continue;
    *ret_status = status;
    ended = true;
  }
  return ended;
}

int zl_reaper_run(struct zl_launch *launch, int sync_fd)
{
  int status = 0, sig;
  sigset_t all;
  pid_t child;

  /* Blocked signals are kept for sigwaitinfo; unblocked and unhandled ones the kernel would drop
   * for the first process of a pid namespace. */
  (void)sigfillset(&all);
  (void)sigprocmask(SIG_SETMASK, &all, NULL);
  child = fork();
  if (child == 0)
    run_program(launch, sync_fd);
  zl_launch_done(launch);
  (void)close_range(0, ~0U, 0);
  keep_kill_only();
  if (child < 0)
    return EXIT_NO_START;
  for (;;) {
    sig = sigwaitinfo(&all, NULL);
    if (sig == SIGCHLD && reap(child, &status))
      return exit_code(status);
    if (sig > 0 && sig != SIGCHLD)
      (void)kill(child, sig);
  }
}
