/* SPDX-License-Identifier: Apache-2.0
 *
 * Processes that become part of a container. Only for single-threaded programs: the child goes on
 * with a copy of the parent's memory, or in it.
 */
#ifndef ZL_ENGINE_CHILD_H
#define ZL_ENGINE_CHILD_H

#include <stddef.h>
#include <sys/types.h>
#include <zlayer/error.h>

struct zl_child {
  pid_t pid;
  int pidfd;
};

/* fork, with namespaces (CLONE_NEW*, and CLONE_PARENT for a sibling) and, with cgroup_fd >= 0, born
 * in that unified cgroup. Returns 1 in the parent with *ret filled, 0 in the child, negative on
 * failure. */
int zl_child_clone(int namespaces, int cgroup_fd, struct zl_child *ret, struct zl_error *err);

/* vfork: `run(arg)`, which must not return, goes on in the caller's memory, and the caller when
 * that process has ended or executes. Nothing of the memory is copied or faulted in for it, which
 * is most of what a short-lived process costs. It must not change what the caller goes on with, and
 * what belongs to the memory (being dumpable) changes for both. `flags`: 0 or CLONE_PARENT.
 * Otherwise as zl_child_clone. */
int zl_child_run(int flags, int cgroup_fd, void (*run)(void *arg), void *arg, struct zl_child *ret,
                 struct zl_error *err);

/* First steps of every child: it dies with its parent, cannot be traced or read through /proc by
 * what runs in the container, leads a session, blocks no signal, has umask 022, and keeps the
 * descriptors in `keep` (which is sorted; -1 entries are skipped) and 0, 1, 2 and nothing else. */
int zl_child_begin(int *keep, size_t n, struct zl_error *err);

/* SIGKILL and reap; no-op when pidfd is -1, which it is afterwards. */
void zl_child_kill(struct zl_child *child);

/* Reaps an ended child; *ret_status as of waitpid(2). 1: reaped; 0: it still runs. */
int zl_child_reap(struct zl_child *child, int *ret_status, struct zl_error *err);

/* Writes /proc/<pid>/oom_score_adj, for `pid` 0 the caller's own; while the caller sees the host's
 * trusted /proc. */
int zl_child_set_oom_score(pid_t pid, int score, struct zl_error *err);

#endif
