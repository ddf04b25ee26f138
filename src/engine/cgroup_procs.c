/* SPDX-License-Identifier: Apache-2.0
 *
 * Processes of a cgroup: putting in, stopping, killing, waiting for the end.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/strv.h"
#include "base/time.h"
#include "engine/cgroup_private.h"

#define FREEZE_WAIT_NS (2 * ZL_NS_PER_S)

enum {
  KILL_ROUNDS = 64, /* of the loop for kernels without cgroup.kill, against a fork bomb */
  FREE_ROUNDS = 2,  /* without freezing */
  ROUND_NS = 10 * 1000 * 1000,
  PAUSE_NS = 200 * 1000
};

static void pause_shortly(void)
{
  const struct timespec t = { .tv_nsec = PAUSE_NS };

  (void)nanosleep(&t, NULL);
}

/* Moving a process waits for a grace period of RCU (up to 20 ms on a busy machine), unless a thread
 * moves just itself: that needs no lock on process groups (Linux 5.4), but exists in v1 only. */
static const char *join_file(int tree, pid_t pid)
{
  return pid == 0 && tree != ZL_TREE_UNIFIED ? "tasks" : "cgroup.procs";
}

int zl_cgroup_add(const struct zl_cgroup *cg, pid_t pid, bool born_inside, struct zl_error *err)
{
  for (int tree = born_inside ? ZL_TREE_UNIFIED + 1 : 0; tree < ZL_TREE_COUNT; tree++) {
    int r;

    if (!zl_cgroup_has(cg, (enum zl_cgroup_tree)tree))
      continue;
    r = zl_cgroup_writef(cg, (enum zl_cgroup_tree)tree, err, join_file(tree, pid), "%d", (int)pid);
    if (r < 0)
      return r;
  }
  return 0;
}

enum zl_cgroup_tree zl_cgroup_main_tree(const struct zl_cgroup *cg)
{
  int tree = 0;

  while (tree < ZL_TREE_COUNT - 1 && !zl_cgroup_has(cg, (enum zl_cgroup_tree)tree))
    tree++;
  return (enum zl_cgroup_tree)tree;
}

struct pid_walk {
  const struct zl_cgroup *cg;
  const char *path;
  int depth;
  zl_cgroup_pid_fn fn;
  void *payload;
  struct zl_error *err;
};

static int walk_pids(const struct pid_walk *w);

static int walk_child(void *payload, const char *name)
{
  const struct pid_walk *w = payload;
  zl_autofree char *path = zl_asprintf("%s/%s", w->path, name);
  struct pid_walk child = *w;

  if (path == NULL)
    return zl_fail_nomem(w->err, "cgroup path");
  child.path = path;
  child.depth++;
  return child.depth < ZL_CGROUP_DEPTH ? walk_pids(&child) : 0;
}

/* The kernel counts a cgroup's children as links to it. */
static bool has_children(const struct pid_walk *w)
{
  struct stat st;

  return fstatat(w->cg->root->fd, w->path, &st, 0) < 0 || st.st_nlink != 2;
}

static int walk_pids(const struct pid_walk *w)
{
  zl_autobuf buf = ZL_BUF_INIT(ZL_MAX_PID_LIST);
  zl_autofree char *file = zl_asprintf("%s/cgroup.procs", w->path);
  struct pid_walk copy = *w;
  int r;

  if (file == NULL)
    return zl_fail_nomem(w->err, "cgroup path");
  r = zl_file_read(w->cg->root->fd, file, &buf, w->err);
  if (r < 0)
    return r == -ZL_E_NOT_FOUND ? 0 : r;
  for (char *line = buf.data, *next = line; r == 0 && next != NULL && *next != '\0';) {
    uint64_t pid;

    line = strsep(&next, "\n");
    /* 0 is a process of another pid namespace, which we could not reach anyway. */
    if (zl_parse_u64(line, INT32_MAX, &pid) && pid > 0)
      r = w->fn(w->payload, (pid_t)pid, w->err);
  }
  if (r != 0 || !has_children(w))
    return r;
  return zl_cgroup_each_dir(w->cg->root->fd, w->path, walk_child, &copy, w->err);
}

int zl_cgroup_each_pid(const struct zl_cgroup *cg, enum zl_cgroup_tree tree, zl_cgroup_pid_fn fn,
                       void *payload, struct zl_error *err)
{
  char path[ZL_CGROUP_FILE];
  const struct pid_walk w = { .cg = cg, .path = path, .fn = fn, .payload = payload, .err = err };

  (void)snprintf(path, sizeof(path), "%s%s", zl_cgroup_tree_dir(cg->root, tree), cg->path);
  return walk_pids(&w);
}

int zl_cgroup_each_process(const struct zl_cgroup *cg, zl_cgroup_pid_fn fn, void *payload,
                           struct zl_error *err)
{
  return zl_cgroup_each_pid(cg, zl_cgroup_main_tree(cg), fn, payload, err);
}

/* v2: the file says what is the case, not what was asked for. */
static int read_frozen(const struct zl_cgroup *cg, bool *ret, struct zl_error *err)
{
  zl_autobuf buf = ZL_BUF_INIT(ZL_CGROUP_LINE);
  uint64_t frozen = 0;
  int r;

  if (zl_cgroup_has(cg, ZL_TREE_UNIFIED)) {
    r = zl_cgroup_read_key(cg, ZL_TREE_UNIFIED, "cgroup.events", "frozen", &frozen, err);
  } else {
    r = zl_cgroup_read(cg, ZL_TREE_FREEZER, "freezer.state", &buf, err);
    frozen = buf.data != NULL && strcmp(buf.data, "FROZEN\n") == 0;
  }
  if (r == 0)
    *ret = frozen != 0;
  return r;
}

static int ask_frozen(const struct zl_cgroup *cg, bool frozen, struct zl_error *err)
{
  if (zl_cgroup_has(cg, ZL_TREE_UNIFIED))
    return zl_cgroup_write(cg, ZL_TREE_UNIFIED, "cgroup.freeze", frozen ? "1" : "0", err);
  return zl_cgroup_write(cg, ZL_TREE_FREEZER, "freezer.state", frozen ? "FROZEN" : "THAWED", err);
}

int zl_cgroup_is_frozen(const struct zl_cgroup *cg, bool *ret, struct zl_error *err)
{
  return read_frozen(cg, ret, err);
}

/* Freezing takes effect when each task returns to user mode: usually at once, in a microsecond or
 * two. v1 wants the write repeated for tasks forked meanwhile. */
int zl_cgroup_freeze(const struct zl_cgroup *cg, bool frozen, struct zl_error *err)
{
  const uint64_t deadline = zl_time_boot() + FREEZE_WAIT_NS;
  bool now = !frozen;
  int r;

  for (;;) {
    r = ask_frozen(cg, frozen, err);
    if (r == 0)
      r = read_frozen(cg, &now, err);
    if (r < 0 || now == frozen)
      return r;
    if (zl_time_boot() >= deadline)
      break;
    pause_shortly();
  }
  if (frozen)
    (void)ask_frozen(cg, false, NULL);
  return zl_fail(err, ZL_E_TIMEOUT, 0, "cgroup '%s': its processes do not %s", cg->path,
                 frozen ? "stop" : "continue");
}

/* Waiting on one process after the other needs no polling of the cgroup: its own notification is
 * delayed by up to 10 ms. */
static void wait_for_process(pid_t pid, uint64_t timeout_ns)
{
  const struct timespec limit = { .tv_sec = (time_t)(timeout_ns / ZL_NS_PER_S),
                                  .tv_nsec = (long)(timeout_ns % ZL_NS_PER_S) };
  zl_autofd fd = (int)syscall(SYS_pidfd_open, pid, 0);
  struct pollfd p = { .fd = fd, .events = POLLIN };

  if (fd < 0) {
    /* Dying: already without a number, still in the list. */
    fd = -1;
    pause_shortly();
    return;
  }
  (void)ppoll(&p, 1, &limit, NULL);
}

struct kill_round {
  size_t n;
  pid_t last;
};

static int kill_one(void *payload, pid_t pid, struct zl_error *err)
{
  struct kill_round *round = payload;

  if (kill(pid, SIGKILL) < 0 && errno != ESRCH)
    return zl_fail_errno(err, "killing process %d", (int)pid);
  round->n++;
  round->last = pid;
  return 0;
}

/* Where there is no cgroup.kill (v1, Linux before 5.14). What forks away from the first rounds is
 * frozen in the next ones. Freezing at once would interrupt every CPU: the kernel patches its code
 * when its only frozen cgroup of v1 comes or goes. In v1 the frozen die only when let go. */
static int kill_by_list(const struct zl_cgroup *cg, struct zl_error *err)
{
  const enum zl_cgroup_tree tree = zl_cgroup_main_tree(cg);
  const bool can_freeze = zl_cgroup_has(cg, ZL_TREE_UNIFIED) || zl_cgroup_has(cg, ZL_TREE_FREEZER);
  int r = 0;

  for (int i = 0; i < KILL_ROUNDS; i++) {
    struct kill_round round = { 0 };

    if (can_freeze && i >= FREE_ROUNDS)
      (void)ask_frozen(cg, true, NULL);
    r = zl_cgroup_each_pid(cg, tree, kill_one, &round, err);
    if (can_freeze && (i >= FREE_ROUNDS || round.n > 0))
      (void)ask_frozen(cg, false, NULL);
    if (r < 0 || round.n == 0)
      return r;
    wait_for_process(round.last, ROUND_NS);
  }
  return r;
}

int zl_cgroup_kill(const struct zl_cgroup *cg, struct zl_error *err)
{
  int r;

  if (!zl_cgroup_has(cg, ZL_TREE_UNIFIED))
    return kill_by_list(cg, err);
  r = zl_cgroup_write(cg, ZL_TREE_UNIFIED, "cgroup.kill", "1", err);
  return r == -ZL_E_UNSUPPORTED ? kill_by_list(cg, err) : r;
}

struct first {
  pid_t pid;
};

static int take_first(void *payload, pid_t pid, struct zl_error *err)
{
  struct first *first = payload;

  (void)err;
  first->pid = pid;
  return 1;
}

static int first_pid(const struct zl_cgroup *cg, pid_t *ret, struct zl_error *err)
{
  struct first first = { 0 };
  int r = zl_cgroup_each_pid(cg, zl_cgroup_main_tree(cg), take_first, &first, err);

  if (r < 0)
    return r;
  *ret = first.pid;
  return 0;
}

int zl_cgroup_is_populated(const struct zl_cgroup *cg, bool *ret, struct zl_error *err)
{
  pid_t pid;
  int r = first_pid(cg, &pid, err);

  if (r == 0)
    *ret = pid != 0;
  return r;
}

int zl_cgroup_wait_empty(const struct zl_cgroup *cg, uint64_t timeout_ns, struct zl_error *err)
{
  const uint64_t start = zl_time_boot();

  for (;;) {
    const uint64_t passed = zl_time_boot() - start;
    pid_t pid;
    int r = first_pid(cg, &pid, err);

    if (r < 0 || pid == 0)
      return r;
    if (passed >= timeout_ns)
      return zl_fail(err, ZL_E_TIMEOUT, 0, "cgroup '%s': process %d is still there", cg->path,
                     (int)pid);
    wait_for_process(pid, timeout_ns - passed);
  }
}
