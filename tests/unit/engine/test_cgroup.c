/* SPDX-License-Identifier: Apache-2.0
 *
 * Control groups against the kernel, in every layout that this host can show (a hybrid host is also
 * a v1 host and, without most controllers, a v2 host), and the v2 files against a directory that
 * only looks like a cgroup tree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/strv.h"
#include "base/time.h"
#include "engine/cgroup_private.h"
#include "resources.h"

/* ---- Layouts ------------------------------------------------------------------------------- */

static struct zl_cgroup_root roots[3];
/* Children must not make up one of their own. */
static char prefix[32];
static size_t n_roots;

static int find_layouts(void **state)
{
  struct zl_cgroup_root host;
  int fd;

  (void)state;
  (void)snprintf(prefix, sizeof(prefix), "zlt%d-", (int)getpid());
  if (zl_cgroup_root_open(&host, &err) < 0)
    return -1;
  roots[n_roots++] = host;
  if (host.mode != ZL_CGROUP_HYBRID)
    return 0;
  roots[n_roots++] = (struct zl_cgroup_root){ .mode = ZL_CGROUP_V1, .fd = zl_fd_copy(host.fd) };
  fd = zl_fd_open(host.fd, "unified", O_PATH | O_DIRECTORY, 0);
  roots[n_roots++] = (struct zl_cgroup_root){ .mode = ZL_CGROUP_V2, .fd = fd };
  return roots[1].fd >= 0 && fd >= 0 ? 0 : -1;
}

static int count_name(void *payload, const char *name)
{
  (void)name;
  ++*(int *)payload;
  return 0;
}

static int remove_left_over(void *payload, const char *name)
{
  const struct zl_cgroup_root *root = payload;
  struct zl_cgroup cg;

  print_error("left over: %s\n", name);
  if (zl_cgroup_open(root, name, &cg, &err) == 0) {
    (void)zl_cgroup_kill(&cg, &err);
    (void)zl_cgroup_remove(&cg, &err);
    zl_cgroup_close(&cg);
  }
  return 0;
}

/* Every case must have removed what it made. */
static int nothing_is_left(void **state)
{
  int left = 0;

  (void)state;
  for (size_t i = 0; i < n_roots; i++) {
    if (zl_cgroup_enumerate(&roots[i], prefix, count_name, &left, &err) < 0)
      return -1;
    (void)zl_cgroup_enumerate(&roots[i], prefix, remove_left_over, &roots[i], &err);
  }
  return left;
}

static int close_layouts(void **state)
{
  int r = nothing_is_left(state);

  for (size_t i = 0; i < n_roots; i++)
    zl_cgroup_root_close(&roots[i]);
  return r;
}

static const char *path_of(const char *name)
{
  static char text[64];

  (void)snprintf(text, sizeof(text), "/%s%s", prefix, name);
  return text;
}

/* ---- Processes ----------------------------------------------------------------------------- */

/* A child that waits for `go`, so that it can be put into a cgroup first. */
struct worker {
  pid_t pid;
  int go;
  volatile uint64_t *shared; /* one page both see */
};

static struct worker start_worker(int (*fn)(volatile uint64_t *shared), int unified_fd)
{
  struct worker w;
  struct clone_args args = { .exit_signal = SIGCHLD };
  int ends[2];
  char c;

  if (unified_fd >= 0) {
    args.flags = CLONE_INTO_CGROUP;
    args.cgroup = (uint64_t)unified_fd;
  }
  w.shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  assert_true(w.shared != MAP_FAILED);
  assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
  w.pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
  assert_true(w.pid >= 0);
  if (w.pid == 0) {
    (void)close(ends[1]);
    _exit(read(ends[0], &c, 1) == 1 ? fn(w.shared) : 99);
  }
  (void)close(ends[0]);
  w.go = ends[1];
  return w;
}

static void let_go(struct worker *w)
{
  assert_int_equal(write(w->go, "x", 1), 1);
}

static int end_worker(struct worker *w)
{
  int status = 0;

  (void)close(w->go);
  assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
  assert_int_equal(munmap((void *)(uintptr_t)w->shared, 4096), 0);
  return status;
}

static int wait_for_ever(volatile uint64_t *shared)
{
  while (*shared != UINT64_MAX)
    (void)pause();
  return 0;
}

static int count_up(volatile uint64_t *shared)
{
  while (*shared != UINT64_MAX)
    ++*shared;
  return 0;
}

static int fork_all_over(volatile uint64_t *shared)
{
  for (int i = 0; i < 4; i++)
    (void)fork();
  __atomic_add_fetch(shared, 1, __ATOMIC_SEQ_CST);
  return wait_for_ever(shared);
}

static void await_value(volatile uint64_t *shared, uint64_t least)
{
  const uint64_t deadline = zl_time_boot() + 10 * ZL_NS_PER_S;

  while (*shared < least) {
    assert_true(zl_time_boot() < deadline);
    (void)sched_yield();
  }
}

/* The line of the tree in /proc/PID/cgroup ends with the path. */
static bool is_member(pid_t pid, const char *controller, const char *path)
{
  zl_autobuf buf = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  char file[64], line[256];

  (void)snprintf(file, sizeof(file), "/proc/%d/cgroup", (int)pid);
  (void)snprintf(line, sizeof(line), ":%s:%s\n", controller, path);
  return zl_file_read(AT_FDCWD, file, &buf, &err) == 0 && strstr(buf.data, line) != NULL;
}

static void make(size_t layout, const char *name, const struct zl_resources *res,
                 struct zl_cgroup *cg)
{
  OK(zl_cgroup_create(&roots[layout], path_of(name), res, cg, &err));
}

static void put_in(struct zl_cgroup *cg, const struct worker *w)
{
  OK(zl_cgroup_add(cg, w->pid, cg->unified_fd >= 0, &err));
}

static void finish(struct zl_cgroup *cg)
{
  OK(zl_cgroup_remove(cg, &err));
  /* Again is the same. */
  OK(zl_cgroup_remove(cg, &err));
  zl_cgroup_close(cg);
}

static bool has_controllers(size_t layout)
{
  return roots[layout].mode != ZL_CGROUP_V2 ||
         faccessat(roots[layout].fd, "memory.pressure", F_OK, 0) != 0;
}

/* ---- Against the kernel -------------------------------------------------------------------- */

static void a_process_joins_every_tree(void **state)
{
  (void)state;
  for (size_t i = 0; i < n_roots; i++) {
    struct zl_cgroup cg;
    struct worker w;

    make(i, "join", &nothing, &cg);
    w = start_worker(wait_for_ever, cg.unified_fd);
    put_in(&cg, &w);
    if (roots[i].mode != ZL_CGROUP_V1)
      assert_true(is_member(w.pid, "", path_of("join")));
    if (roots[i].mode != ZL_CGROUP_V2) {
      assert_true(is_member(w.pid, "memory", path_of("join")));
      assert_true(is_member(w.pid, "pids", path_of("join")));
      assert_true(is_member(w.pid, "devices", path_of("join")));
      /* Trees that are not needed cost time at each start. */
      assert_false(is_member(w.pid, "cpuset", path_of("join")));
    }
    OK(zl_cgroup_kill(&cg, &err));
    assert_true(WIFSIGNALED(end_worker(&w)));
    finish(&cg);
  }
}

static void all_trees_are_joined_when_asked_for(void **state)
{
  static const char *const trees[] = { "cpuset", "cpuacct", "blkio", "freezer", "memory" };

  (void)state;
  for (size_t i = 0; i < n_roots; i++) {
    struct zl_cgroup cg, again;
    struct worker w;

    make(i, "all", &nothing, &cg);
    OK(zl_cgroup_join_all(&cg, &err));
    w = start_worker(wait_for_ever, cg.unified_fd);
    put_in(&cg, &w);
    for (size_t t = 0; roots[i].mode != ZL_CGROUP_V2 && t < ZL_COUNT(trees); t++)
      assert_true(is_member(w.pid, trees[t], path_of("all")));
    OK(zl_cgroup_open(&roots[i], path_of("all"), &again, &err));
    assert_int_equal(again.trees, cg.trees);
    zl_cgroup_close(&again);
    OK(zl_cgroup_kill(&cg, &err));
    assert_true(WIFSIGNALED(end_worker(&w)));
    finish(&cg);
  }
}

static void self_is_process_zero(void **state)
{
  (void)state;
  for (size_t i = 0; i < n_roots; i++) {
    struct zl_cgroup cg;
    int status = 0;
    pid_t pid;

    make(i, "self", &nothing, &cg);
    pid = fork();
    if (pid == 0)
      _exit(
          zl_cgroup_add(&cg, 0, false, &err) == 0 &&
                  is_member(getpid(), roots[i].mode == ZL_CGROUP_V2 ? "" : "pids", path_of("self"))
              ? 0
              : 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    finish(&cg);
  }
}

static int count_process(void *payload, pid_t pid, struct zl_error *why)
{
  size_t *count = payload;

  (void)why;
  *count += pid > 0;
  return *count == 100; /* ends the walk */
}

static void killing_reaches_all(void **state)
{
  (void)state;
  for (size_t i = 0; i < n_roots; i++) {
    struct zl_cgroup cg;
    struct worker w;
    bool populated = false;
    size_t count = 0;

    make(i, "kill", &nothing, &cg);
    OK(zl_cgroup_is_populated(&cg, &populated, &err));
    assert_false(populated);
    w = start_worker(fork_all_over, cg.unified_fd);
    put_in(&cg, &w);
    let_go(&w);
    await_value(w.shared, 16);
    OK(zl_cgroup_is_populated(&cg, &populated, &err));
    assert_true(populated);
    assert_true(zl_cgroup_each_process(&cg, count_process, &count, &err) >= 0);
    assert_true(count >= 2);
    OK(zl_cgroup_kill(&cg, &err));
    assert_true(WIFSIGNALED(end_worker(&w)));
    OK(zl_cgroup_wait_empty(&cg, 5 * ZL_NS_PER_S, &err));
    OK(zl_cgroup_is_populated(&cg, &populated, &err));
    assert_false(populated);
    finish(&cg);
  }
}

static void a_frozen_process_stands_still_and_dies(void **state)
{
  (void)state;
  for (size_t i = 0; i < n_roots; i++) {
    struct zl_cgroup cg;
    struct worker w;
    uint64_t before;
    bool frozen = true;

    make(i, "freeze", &nothing, &cg);
    w = start_worker(count_up, cg.unified_fd);
    put_in(&cg, &w);
    let_go(&w);
    await_value(w.shared, 1000);
    OK(zl_cgroup_is_frozen(&cg, &frozen, &err));
    assert_false(frozen);
    OK(zl_cgroup_freeze(&cg, true, &err));
    OK(zl_cgroup_freeze(&cg, true, &err));
    OK(zl_cgroup_is_frozen(&cg, &frozen, &err));
    assert_true(frozen);
    before = *w.shared;
    (void)usleep(20000);
    assert_true(*w.shared == before);
    OK(zl_cgroup_freeze(&cg, false, &err));
    await_value(w.shared, before + 1000);
    OK(zl_cgroup_freeze(&cg, true, &err));
    OK(zl_cgroup_kill(&cg, &err));
    assert_true(WIFSIGNALED(end_worker(&w)));
    finish(&cg);
  }
}

static void waiting_has_a_limit(void **state)
{
  (void)state;
  for (size_t i = 0; i < n_roots; i++) {
    const uint64_t start = zl_time_boot();
    struct zl_cgroup cg;
    struct worker w;

    make(i, "wait", &nothing, &cg);
    w = start_worker(wait_for_ever, cg.unified_fd);
    put_in(&cg, &w);
    assert_int_equal(zl_cgroup_wait_empty(&cg, 30 * ZL_NS_PER_MS, &err), -ZL_E_TIMEOUT);
    assert_true(zl_time_boot() - start < 5 * ZL_NS_PER_S);
    OK(zl_cgroup_kill(&cg, &err));
    (void)end_worker(&w);
    finish(&cg);
  }
}

static void a_left_over_is_replaced_but_not_a_live_one(void **state)
{
  (void)state;
  for (size_t i = 0; i < n_roots; i++) {
    struct zl_cgroup first, second;
    struct worker w;

    make(i, "twice", &nothing, &first);
    make(i, "twice", &nothing, &second);
    zl_cgroup_close(&first);
    w = start_worker(wait_for_ever, second.unified_fd);
    put_in(&second, &w);
    assert_int_equal(zl_cgroup_create(&roots[i], path_of("twice"), &nothing, &first, &err),
                     -ZL_E_CONFLICT);
    assert_non_null(strstr(err.msg, "twice"));
    /* The failed attempt has not harmed it. */
    assert_int_equal(kill(w.pid, 0), 0);
    OK(zl_cgroup_kill(&second, &err));
    (void)end_worker(&w);
    finish(&second);
  }
}

static void an_existing_one_is_opened(void **state)
{
  (void)state;
  for (size_t i = 0; i < n_roots; i++) {
    struct zl_cgroup made, found;

    make(i, "open", &nothing, &made);
    OK(zl_cgroup_open(&roots[i], path_of("open"), &found, &err));
    assert_int_equal(found.trees, made.trees);
    assert_int_equal(found.unified_fd >= 0, made.unified_fd >= 0);
    zl_cgroup_close(&made);
    finish(&found);
    assert_int_equal(zl_cgroup_open(&roots[i], path_of("open"), &found, &err), -ZL_E_NOT_FOUND);
  }
}

static void cgroups_made_inside_go_too(void **state)
{
  (void)state;
  for (size_t i = 0; i < n_roots; i++) {
    const bool v2 = roots[i].mode == ZL_CGROUP_V2;
    struct zl_cgroup cg;
    char path[128];

    make(i, "nested", &nothing, &cg);
    (void)snprintf(path, sizeof(path), "%s%s/a", v2 ? "" : "pids/", cg.path);
    assert_int_equal(mkdirat(roots[i].fd, path, 0755), 0);
    (void)snprintf(path, sizeof(path), "%s%s/a/b", v2 ? "" : "pids/", cg.path);
    assert_int_equal(mkdirat(roots[i].fd, path, 0755), 0);
    finish(&cg);
  }
}

static void parents_are_made(void **state)
{
  (void)state;
  for (size_t i = 0; i < n_roots; i++) {
    struct zl_cgroup inner, outer;
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/a/b", path_of("deep"));
    OK(zl_cgroup_create(&roots[i], path, &nothing, &inner, &err));
    OK(zl_cgroup_open(&roots[i], path_of("deep"), &outer, &err));
    finish(&inner);
    finish(&outer);
  }
}

static void left_overs_are_found_by_prefix(void **state)
{
  (void)state;
  for (size_t i = 0; i < n_roots; i++) {
    struct zl_cgroup a, b;
    int n = 0;

    make(i, "list-a", &nothing, &a);
    make(i, "list-b", &nothing, &b);
    OK(zl_cgroup_enumerate(&roots[i], prefix, count_name, &n, &err));
    assert_int_equal(n, 2);
    n = 0;
    OK(zl_cgroup_enumerate(&roots[i], path_of("list-b") + 1, count_name, &n, &err));
    assert_int_equal(n, 1);
    /* Half removed, in whichever tree. */
    if (roots[i].mode != ZL_CGROUP_V2) {
      char path[128];

      for (int tree = 0; tree < ZL_TREE_MEMORY; tree++) {
        (void)snprintf(path, sizeof(path), "%s%s",
                       zl_cgroup_tree_dir(&roots[i], (enum zl_cgroup_tree)tree), a.path);
        (void)unlinkat(roots[i].fd, path, AT_REMOVEDIR);
      }
      n = 0;
      OK(zl_cgroup_enumerate(&roots[i], path_of("list-a") + 1, count_name, &n, &err));
      assert_int_equal(n, 1);
    }
    finish(&a);
    finish(&b);
  }
}

static int fork_until_refused(volatile uint64_t *shared)
{
  for (;;) {
    pid_t pid = fork();

    if (pid < 0)
      return errno == EAGAIN ? 0 : 1;
    if (pid == 0)
      return wait_for_ever(shared);
    if (++*shared > 500)
      return 2;
  }
}

static void the_number_of_processes_is_limited(void **state)
{
  (void)state;
  for (size_t i = 0; i < n_roots; i++) {
    struct zl_resources res = nothing;
    struct zl_cgroup_stats s;
    struct zl_cgroup cg;
    struct worker w;
    uint64_t forks;

    if (!has_controllers(i))
      continue;
    res.pids_limit = 20;
    make(i, "pids", &res, &cg);
    OK(zl_cgroup_apply(&cg, &res, &err));
    w = start_worker(fork_until_refused, cg.unified_fd);
    put_in(&cg, &w);
    let_go(&w);
    await_value(w.shared, 19);
    OK(zl_cgroup_stats(&cg, &s, &err));
    assert_int_equal(s.pids_limit, 20);
    assert_true(s.pids >= 19 && s.pids <= 20);
    forks = *w.shared;
    OK(zl_cgroup_kill(&cg, &err));
    (void)end_worker(&w);
    assert_int_equal(forks, 19);
    OK(zl_cgroup_wait_empty(&cg, 5 * ZL_NS_PER_S, &err));
    finish(&cg);
  }
}

static int eat_memory(volatile uint64_t *shared)
{
  const size_t size = (size_t)96 << 20;
  char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  (void)shared;
  for (size_t i = 0; p != MAP_FAILED && i < size; i += 4096)
    p[i] = 1;
  return 0;
}

static void the_memory_is_limited(void **state)
{
  (void)state;
  for (size_t i = 0; i < n_roots; i++) {
    struct zl_resources res = nothing;
    struct zl_cgroup_stats s;
    struct zl_cgroup cg;
    struct worker w;
    uint64_t kills = 99;
    int status;

    if (!has_controllers(i))
      continue;
    res.memory_limit = res.memory_swap = 16 << 20;
    make(i, "memory", &res, &cg);
    OK(zl_cgroup_apply(&cg, &res, &err));
    OK(zl_cgroup_oom_kills(&cg, &kills, &err));
    assert_int_equal(kills, 0);
    OK(zl_cgroup_stats(&cg, &s, &err));
    assert_int_equal(s.memory_limit, 16 << 20);
    w = start_worker(eat_memory, cg.unified_fd);
    put_in(&cg, &w);
    let_go(&w);
    status = end_worker(&w);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
    OK(zl_cgroup_oom_kills(&cg, &kills, &err));
    assert_int_equal(kills, 1);
    finish(&cg);
  }
}

static void expect_number(struct zl_cgroup *cg, enum zl_cgroup_tree tree, const char *file,
                          uint64_t want)
{
  uint64_t number = 0;

  OK(zl_cgroup_read_number(cg, tree, file, &number, &err));
  if (number != want)
    fail_msg("%s: %llu instead of %llu", file, (unsigned long long)number,
             (unsigned long long)want);
}

static void v1_limits_go_up_and_down(void **state)
{
  static const int64_t sizes[] = { 64 << 20, 128 << 20, 32 << 20, -1, 16 << 20 };
  static const int64_t quotas[][2] = {
    { 50000, 100000 }, { 1000, 1000 }, { 900000, 1000000 }, { -1, 100000 }, { 5000, 10000 }
  };

  (void)state;
  for (size_t i = 0; i < n_roots; i++) {
    struct zl_resources res = nothing;
    struct zl_cgroup cg;

    if (roots[i].mode == ZL_CGROUP_V2)
      continue;
    make(i, "updown", &res, &cg);
    for (size_t k = 0; k < ZL_COUNT(sizes); k++) {
      res.memory_limit = res.memory_swap = sizes[k];
      res.cpu_quota_us = quotas[k][0];
      res.cpu_period_us = quotas[k][1];
      res.cpu_shares = 512 + (int64_t)k;
      OK(zl_cgroup_apply(&cg, &res, &err));
      expect_number(&cg, ZL_TREE_MEMORY, "memory.limit_in_bytes", (uint64_t)sizes[k]);
      expect_number(&cg, ZL_TREE_MEMORY, "memory.memsw.limit_in_bytes", (uint64_t)sizes[k]);
      expect_number(&cg, ZL_TREE_CPU, "cpu.cfs_period_us", (uint64_t)quotas[k][1]);
      expect_number(&cg, ZL_TREE_CPU, "cpu.shares", 512 + k);
    }
    expect_number(&cg, ZL_TREE_CPU, "cpu.cfs_quota_us", 5000);
    finish(&cg);
  }
}

static void v1_update_joins_a_missing_tree(void **state)
{
  (void)state;
  for (size_t i = 0; i < n_roots; i++) {
    struct zl_resources res = nothing;
    struct zl_cgroup cg;
    struct worker w;
    cpu_set_t cpus;

    if (roots[i].mode == ZL_CGROUP_V2)
      continue;
    make(i, "update", &res, &cg);
    w = start_worker(wait_for_ever, cg.unified_fd);
    put_in(&cg, &w);
    res.cpus = "0";
    OK(zl_cgroup_apply(&cg, &res, &err));
    assert_true(is_member(w.pid, "cpuset", path_of("update")));
    assert_int_equal(sched_getaffinity(w.pid, sizeof(cpus), &cpus), 0);
    assert_int_equal(CPU_COUNT(&cpus), 1);
    assert_true(CPU_ISSET(0, &cpus));
    OK(zl_cgroup_kill(&cg, &err));
    (void)end_worker(&w);
    finish(&cg);
  }
}

static void errors_name_the_file(void **state)
{
  struct zl_resources res = nothing;
  struct zl_cgroup cg;

  (void)state;
  if (roots[0].mode == ZL_CGROUP_V2)
    res.unified = (const struct zl_key_value[]){ { "no.such", "1" } };
  res.cpus = "4000";
  make(0, "error", &res, &cg);
  assert_true(zl_cgroup_apply(&cg, &res, &err) < 0);
  assert_non_null(strstr(err.msg, "cpuset.cpus"));
  assert_non_null(strstr(err.msg, "4000"));
  finish(&cg);
}

/* Network classes are v1's own and seldom mounted: refused where they are not, not forgotten. */
static void network_settings_need_their_hierarchies(void **state)
{
  const struct zl_net_priority priority = { "lo", 5 };

  (void)state;
  for (size_t i = 0; i < n_roots; i++) {
    struct zl_resources res = nothing;
    struct zl_cgroup cg;
    bool has = roots[i].mode != ZL_CGROUP_V2 &&
               faccessat(roots[i].fd, "net_prio/cgroup.procs", F_OK, 0) == 0;

    res.net_priorities = &priority;
    res.n_net_priorities = 1;
    make(i, "network", &res, &cg);
    assert_int_equal(zl_cgroup_apply(&cg, &res, &err), has ? 0 : -ZL_E_UNSUPPORTED);
    if (!has)
      assert_non_null(
          strstr(err.msg, roots[i].mode == ZL_CGROUP_V2 ? "network.priorities" : "lo 5"));
    finish(&cg);
  }
}

static int burn(volatile uint64_t *shared)
{
  const uint64_t end = zl_time_boot() + 60 * ZL_NS_PER_MS;

  while (zl_time_boot() < end)
    ++*shared;
  return 0;
}

static void processor_time_is_counted(void **state)
{
  (void)state;
  for (size_t i = 0; i < n_roots; i++) {
    struct zl_cgroup_stats s;
    struct zl_cgroup cg;
    struct worker w;

    make(i, "cpu", &nothing, &cg);
    w = start_worker(burn, cg.unified_fd);
    put_in(&cg, &w);
    let_go(&w);
    assert_int_equal(end_worker(&w), 0);
    OK(zl_cgroup_stats(&cg, &s, &err));
    assert_true(s.cpu_usage_ns > 5 * ZL_NS_PER_MS);
    assert_true(s.cpu_usage_ns < 10 * ZL_NS_PER_S);
    assert_int_equal(s.memory_limit, UINT64_MAX);
    assert_int_equal(s.pids_limit, UINT64_MAX);
    finish(&cg);
  }
}

static void odd_paths_are_refused(void **state)
{
  struct zl_cgroup cg;
  char longest[ZL_MAX_CGROUP_PATH + 3];

  (void)state;
  memset(longest, 'x', sizeof(longest) - 1);
  longest[sizeof(longest) - 1] = '\0';
  assert_int_equal(zl_cgroup_create(&roots[0], "/", &nothing, &cg, &err), -ZL_E_INVALID);
  assert_int_equal(zl_cgroup_create(&roots[0], "", &nothing, &cg, &err), -ZL_E_INVALID);
  assert_int_equal(zl_cgroup_create(&roots[0], longest, &nothing, &cg, &err), -ZL_E_INVALID);
}

int main(void)
{
#define KERNEL(name) cmocka_unit_test_teardown(name, nothing_is_left)
  const struct CMUnitTest tests[] = {
    KERNEL(a_process_joins_every_tree),
    KERNEL(all_trees_are_joined_when_asked_for),
    KERNEL(self_is_process_zero),
    KERNEL(killing_reaches_all),
    KERNEL(a_frozen_process_stands_still_and_dies),
    KERNEL(waiting_has_a_limit),
    KERNEL(a_left_over_is_replaced_but_not_a_live_one),
    KERNEL(an_existing_one_is_opened),
    KERNEL(cgroups_made_inside_go_too),
    KERNEL(parents_are_made),
    KERNEL(left_overs_are_found_by_prefix),
    KERNEL(the_number_of_processes_is_limited),
    KERNEL(the_memory_is_limited),
    KERNEL(v1_limits_go_up_and_down),
    KERNEL(v1_update_joins_a_missing_tree),
    KERNEL(errors_name_the_file),
    KERNEL(network_settings_need_their_hierarchies),
    KERNEL(processor_time_is_counted),
    KERNEL(odd_paths_are_refused),
  };

  return cmocka_run_group_tests(tests, find_layouts, close_layouts);
}
