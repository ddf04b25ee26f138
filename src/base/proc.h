/* SPDX-License-Identifier: Apache-2.0
 *
 * Child processes of the (possibly multi-threaded) library: started by vfork+exec, never by a bare
 * fork, and known by pidfd, so that a reused pid can never be hit.
 */
#ifndef ZL_BASE_PROC_H
#define ZL_BASE_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <zlayer/error.h>

struct zl_proc_fd {
  int from; /* ours */
  int to;   /* number in the child */
};

struct zl_proc_options {
  const char *path;             /* host path of the program; not searched in PATH */
  int exec_fd;                  /* >= 0: execute this descriptor instead of `path` */
  const char *const *argv;      /* NULL-terminated */
  const char *const *envp;      /* NULL-terminated; NULL: empty environment */
  const struct zl_proc_fd *fds; /* everything else is closed; 0, 1, 2 default to /dev/null */
  size_t n_fds;
  bool new_session; /* setsid: survives the terminal and its signals */
  bool detached;    /* not our child but init's: it leaves no zombie and cannot be waited for */
  bool bound;       /* SIGKILL when the thread that starts it ends (PR_SET_PDEATHSIG) */
};

struct zl_proc {
  pid_t pid;
  int pidfd; /* -1: none */
};

/* Starts the program with default signal dispositions and an empty mask. exec failure is reported
 * here (ZL_E_NO_COMMAND for ENOENT, ZL_E_NOT_EXECUTABLE for EACCES/ENOEXEC). Blocks until exec. */
int zl_proc_spawn(const struct zl_proc_options *opt, struct zl_proc *ret, struct zl_error *err);

/* Undoes what whoever executed this program did to its signals: what is ignored stays ignored over
 * every exec, unlike a handler. The mask is left alone. */
void zl_proc_default_signals(void);

/* Waits for the child and closes the pidfd. *ret_status as of waitpid(2). */
int zl_proc_wait(struct zl_proc *proc, int *ret_status, struct zl_error *err);

/* SIGKILL, reap, close; for error paths. No-op when pidfd is -1. */
void zl_proc_kill(struct zl_proc *proc);

/* Ends this process at once, as a SIGKILL from outside would. */
_Noreturn void zl_proc_die(void);

/* Start time of a process in clock ticks since boot (field 22 of /proc/PID/stat); pid and start
 * time together identify a process within one boot. ZL_E_NOT_FOUND when it is gone. */
int zl_proc_start_time(pid_t pid, uint64_t *ret_ticks, struct zl_error *err);

#endif
