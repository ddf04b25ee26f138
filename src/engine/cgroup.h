/* SPDX-License-Identifier: Apache-2.0
 *
 * The control groups of one container, in the three layouts that hosts have: v1 (one tree per
 * controller), v2 (one tree) and hybrid (v1 trees and a v2 tree without the controllers). A cgroup
 * is known by one path below the mount, the same in every tree it is in.
 *
 * On hybrid hosts the v2 tree does what it can (birth, kill, freeze, processor time) and v1 trees
 * the rest. Devices stay in v1 there: a directory and a dozen writes cost 90 µs, loading a BPF
 * program 160 µs.
 */
#ifndef ZL_ENGINE_CGROUP_H
#define ZL_ENGINE_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <zlayer/error.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "engine/config.h"

enum zl_cgroup_mode {
  ZL_CGROUP_V1,
  ZL_CGROUP_HYBRID,
  ZL_CGROUP_V2
};

/* Where the trees are mounted: /sys/fs/cgroup itself (v2) or directories named by controller. */
struct zl_cgroup_root {
  enum zl_cgroup_mode mode;
  int fd; /* O_PATH directory */
};

/* Finds the host's layout. ZL_E_UNSUPPORTED when there is none at /sys/fs/cgroup. */
int zl_cgroup_root_open(struct zl_cgroup_root *ret, struct zl_error *err);
void zl_cgroup_root_close(struct zl_cgroup_root *root);

struct zl_cgroup {
  const struct zl_cgroup_root *root; /* borrowed: must live longer */
  char path[ZL_MAX_CGROUP_PATH + 1]; /* below each tree, without a leading "/" */
  unsigned trees;                    /* bits of the trees it is in (private) */
  bool is_taken;                     /* directories that exist stay as they are (private) */
  int unified_fd; /* directory in the v2 tree, for CLONE_INTO_CGROUP; -1 on a pure v1 host */
};

/* Makes the cgroup `path` ("/zlayer-1a2b3c4d-web-rep-1"; parents are made as needed) in the trees
 * that every container uses and those that `res` needs. An empty left-over is replaced; one with
 * processes is ZL_E_CONFLICT. On failure nothing is left. The caller ends with zl_cgroup_remove
 * and zl_cgroup_close. */
int zl_cgroup_create(const struct zl_cgroup_root *root, const char *path,
                     const struct zl_resources *res, struct zl_cgroup *ret, struct zl_error *err);

/* As zl_cgroup_create, but one that exists stays as it is, with the limits that its maker has set:
 * ZL_E_CONFLICT when processes are inside, or any put there would be frozen. */
int zl_cgroup_take(const struct zl_cgroup_root *root, const char *path,
                   const struct zl_resources *res, struct zl_cgroup *ret, struct zl_error *err);

/* Makes the cgroup in the remaining trees of this host too: for callers whose own cgroups above it
 * have limits, or who read its files themselves (processor time, block devices). */
int zl_cgroup_join_all(struct zl_cgroup *cg, struct zl_error *err);

/* Takes hold of a cgroup that another, systemd, has made for a container: it gets the controllers
 * that its maker does not hand down. ZL_E_NOT_FOUND when it is in no tree. The caller goes on with
 * zl_cgroup_join_all and ends with zl_cgroup_close. */
int zl_cgroup_adopt(const struct zl_cgroup_root *root, const char *path, struct zl_cgroup *ret,
                    struct zl_error *err);

/* Takes hold of an existing one. ZL_E_NOT_FOUND when it is in no tree. */
int zl_cgroup_open(const struct zl_cgroup_root *root, const char *path, struct zl_cgroup *ret,
                   struct zl_error *err);
/* Takes hold of one at or below `whole`, in those of its trees that have it ("PATH") or in named
 * ones
 * ("cpu,cpuacct:PATH"). ZL_E_INVALID: a controller that it is not in, or a path that leads out of
 * it; ZL_E_NOT_FOUND: a named tree, or every one, has no such cgroup. */
int zl_cgroup_open_part(const struct zl_cgroup *whole, const char *text, struct zl_cgroup *ret,
                        struct zl_error *err);
/* Closes the descriptor; the cgroup stays. */
void zl_cgroup_close(struct zl_cgroup *cg);

/* Puts process `pid` (0: the calling one, which must have one thread; much faster) into every tree;
 * `born_inside`: it was cloned into unified_fd and only the v1 trees are left. After
 * zl_cgroup_apply, so that it never runs without its limits. */
int zl_cgroup_add(const struct zl_cgroup *cg, pid_t pid, bool born_inside, struct zl_error *err);

/* Sets the limits that `res` has; others stay as they are, so it also serves an update. A v1 tree
 * that is needed only now is joined with all processes. The error names file and value;
 * ZL_E_UNSUPPORTED: this host has no such control. Devices are not part of it. */
int zl_cgroup_apply(struct zl_cgroup *cg, const struct zl_resources *res, struct zl_error *err);

/* What is in force of processor time: quota (-1: no limit) and period. */
int zl_cgroup_bandwidth(const struct zl_cgroup *cg, int64_t *ret_quota_us, int64_t *ret_period_us,
                        struct zl_error *err);

/* v2's cpu.weight for v1's shares, io.weight for a blockIO weight (10..1000). */
uint64_t zl_cgroup_weight_of_shares(uint64_t shares);
uint64_t zl_cgroup_io_weight(uint64_t weight);

/* Puts the device rules in force (config.h) together with the devices that every container has:
 * null zero full random urandom tty console ptmx pts, and mknod(2) of anything. Idempotent; a
 * repeated call replaces the rules. */
int zl_cgroup_set_devices(const struct zl_cgroup *cg, const struct zl_device_rule *rules, size_t n,
                          struct zl_error *err);

/* Stops or continues all processes. Returns when they have stopped: ZL_E_TIMEOUT after 2 s (a
 * process in uninterruptible sleep), and then they are let go again. */
int zl_cgroup_freeze(const struct zl_cgroup *cg, bool frozen, struct zl_error *err);
int zl_cgroup_is_frozen(const struct zl_cgroup *cg, bool *ret, struct zl_error *err);

/* SIGKILL to every process, frozen ones and those being forked included. Does not wait. */
int zl_cgroup_kill(const struct zl_cgroup *cg, struct zl_error *err);
/* Waits until no process is left: ZL_E_TIMEOUT after `timeout_ns`. Zombies do not count. */
int zl_cgroup_wait_empty(const struct zl_cgroup *cg, uint64_t timeout_ns, struct zl_error *err);
/* *ret: processes are inside. */
int zl_cgroup_is_populated(const struct zl_cgroup *cg, bool *ret, struct zl_error *err);

/* Removes it, and what was made below it, from every tree. The kernel needs a moment after the last
 * process: waits up to 2 s. ZL_E_CONFLICT: processes are inside. Success when it is gone already.
 */
int zl_cgroup_remove(struct zl_cgroup *cg, struct zl_error *err);

struct zl_cgroup_stats {
  uint64_t cpu_usage_ns, cpu_user_ns, cpu_system_ns;
  uint64_t memory_bytes; /* without file cache that the kernel would drop first */
  uint64_t memory_limit; /* UINT64_MAX: none */
  uint64_t pids, pids_limit;
  uint64_t block_read_bytes, block_write_bytes; /* 0 on v1 unless a blockIO limit is set */
};

/* Values whose controller is missing are 0 (limits UINT64_MAX). */
int zl_cgroup_stats(const struct zl_cgroup *cg, struct zl_cgroup_stats *ret, struct zl_error *err);

/* How many processes the kernel has killed for want of memory here. */
int zl_cgroup_oom_kills(const struct zl_cgroup *cg, uint64_t *ret, struct zl_error *err);

/* Calls `fn` for every process inside, deeper cgroups included; pids as this process's /proc has
 * them. Non-zero from `fn` ends the walk and is the result. */
typedef int (*zl_cgroup_pid_fn)(void *payload, pid_t pid, struct zl_error *err);
int zl_cgroup_each_process(const struct zl_cgroup *cg, zl_cgroup_pid_fn fn, void *payload,
                           struct zl_error *err);

/* Calls `fn` once for every top-level cgroup whose name begins with `prefix`, in whichever tree it
 * is left. Non-zero from `fn` ends the walk and is the result. */
typedef int (*zl_cgroup_fn)(void *payload, const char *name);
int zl_cgroup_enumerate(const struct zl_cgroup_root *root, const char *prefix, zl_cgroup_fn fn,
                        void *payload, struct zl_error *err);

#endif
