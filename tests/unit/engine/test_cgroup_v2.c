/* SPDX-License-Identifier: Apache-2.0
 *
 * What is written to and read from the files of a v2 tree, in a directory that only looks like one:
 * all controllers, on every host.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "engine/cgroup_private.h"
#include "resources.h"

struct tree {
  char path[64];
  struct zl_cgroup_root root;
  struct zl_cgroup cg;
};

static void put(const struct tree *t, const char *file, const char *text)
{
  char path[256];
  int fd;

  (void)snprintf(path, sizeof(path), "web/%s", file);
  fd = openat(t->root.fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
  (void)close(fd);
}

static void expect(const struct tree *t, const char *file, const char *want)
{
  zl_autobuf buf = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);

  OK(zl_cgroup_read(&t->cg, ZL_TREE_UNIFIED, file, &buf, &err));
  if (strcmp(buf.data != NULL ? buf.data : "", want) != 0)
    fail_msg("%s: '%s' instead of '%s'", file, buf.data, want);
  put(t, file, "");
}

static int tree_new(void **state)
{
  static struct tree t;
  static const char *const files[] = {
    "cpu.weight",      "cpu.max",         "cpu.max.burst",
    "cpu.idle",        "memory.max",      "memory.low",
    "memory.swap.max", "pids.max",        "cpuset.cpus",
    "cpuset.mems",     "io.weight",       "io.max",
    "cgroup.kill",     "hugetlb.2MB.max", "memory.high",
    "rdma.max",        "memory.current",  "hugetlb.2MB.rsvd.max",
    "cgroup.freeze",
  };

  (void)snprintf(t.path, sizeof(t.path), "/tmp/zl-cgroup-XXXXXX");
  assert_non_null(mkdtemp(t.path));
  t.root = (struct zl_cgroup_root){ .mode = ZL_CGROUP_V2,
                                    .fd = open(t.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
  assert_int_equal(zl_file_replace(t.root.fd, "cgroup.subtree_control", "cpu io memory pids\n", 19,
                                   0644, false, &err),
                   0);
  assert_int_equal(zl_cgroup_create(&t.root, "/web", &nothing, &t.cg, &err), 0);
  for (size_t i = 0; i < ZL_COUNT(files); i++)
    put(&t, files[i], "");
  *state = &t;
  return 0;
}

static int tree_free(void **state)
{
  struct tree *t = *state;

  zl_cgroup_close(&t->cg);
  zl_cgroup_root_close(&t->root);
  return zl_path_remove_tree(AT_FDCWD, t->path);
}

static void v2_limits(void **state)
{
  struct tree *t = *state;
  const struct zl_hugepage_limit huge = { "2MB", 4 << 20 };
  const struct zl_key_value unified = { "memory.high", "1000" };
  const struct zl_blkio_device rate = { 8, 16, 1048576 };
  const struct zl_rdma_limit rdma = { "mlx5_1", 3, ZL_UNSET };
  struct zl_resources res = nothing;

  res.cpu_shares = 1024;
  res.cpu_quota_us = 50000;
  res.cpu_period_us = 100000;
  res.cpu_burst_us = 1000;
  res.cpu_idle = 1;
  res.memory_limit = 64 << 20;
  res.memory_swap = 96 << 20;
  res.memory_reservation = 32 << 20;
  res.pids_limit = 100;
  res.cpus = "0-1";
  res.mems = "0";
  res.blkio_weight = 500;
  res.read_bps = (struct zl_blkio_list){ &rate, 1 };
  res.hugepages = &huge;
  res.n_hugepages = 1;
  res.unified = &unified;
  res.n_unified = 1;
  res.rdma = &rdma;
  res.n_rdma = 1;
  res.use_hierarchy = true;
  OK(zl_cgroup_apply(&t->cg, &res, &err));
  expect(t, "cpu.weight", "100");
  expect(t, "cpu.max", "50000 100000");
  expect(t, "cpu.max.burst", "1000");
  expect(t, "cpu.idle", "1");
  expect(t, "memory.max", "67108864");
  expect(t, "memory.swap.max", "33554432");
  expect(t, "memory.low", "33554432");
  expect(t, "pids.max", "100");
  expect(t, "cpuset.cpus", "0-1");
  expect(t, "cpuset.mems", "0");
  expect(t, "io.weight", "4950");
  expect(t, "io.max", "8:16 rbps=1048576");
  expect(t, "hugetlb.2MB.max", "4194304");
  expect(t, "hugetlb.2MB.rsvd.max", "4194304");
  expect(t, "rdma.max", "mlx5_1 hca_handle=3");
  expect(t, "memory.high", "1000");
}

static void a_limit_below_what_is_in_use(void **state)
{
  struct tree *t = *state;
  struct zl_resources res = nothing;

  put(t, "memory.current", "5000000\n");
  res.memory_limit = 4 << 20;
  res.check_before_update = true;
  assert_int_equal(zl_cgroup_apply(&t->cg, &res, &err), -ZL_E_INVALID);
  assert_non_null(strstr(err.msg, "5000000"));
  expect(t, "memory.max", "");
  res.memory_limit = 8 << 20;
  OK(zl_cgroup_apply(&t->cg, &res, &err));
  expect(t, "memory.max", "8388608");
}

static void v2_says_max(void **state)
{
  struct tree *t = *state;
  const struct zl_blkio_device rate = { 8, 16, 0 };
  struct zl_resources res = nothing;

  res.cpu_quota_us = -1;
  res.memory_limit = res.memory_swap = res.memory_reservation = -1;
  res.pids_limit = 0;
  res.write_iops = (struct zl_blkio_list){ &rate, 1 };
  OK(zl_cgroup_apply(&t->cg, &res, &err));
  expect(t, "cpu.max", "max");
  expect(t, "memory.max", "max");
  expect(t, "memory.swap.max", "max");
  expect(t, "memory.low", "max");
  expect(t, "pids.max", "max");
  expect(t, "io.max", "8:16 wiops=max");
}

static void v2_sets_only_what_is_said(void **state)
{
  static const char *const files[] = { "cpu.weight",      "cpu.max",  "memory.max",
                                       "memory.swap.max", "pids.max", "io.weight" };
  struct tree *t = *state;
  struct zl_resources res = nothing;

  OK(zl_cgroup_apply(&t->cg, &res, &err));
  for (size_t i = 0; i < ZL_COUNT(files); i++)
    expect(t, files[i], "");
  put(t, "cpu.max", "20000 10000\n");
  res.cpu_period_us = 50000;
  OK(zl_cgroup_apply(&t->cg, &res, &err));
  expect(t, "cpu.max", "20000 50000\n");
}

static void v2_weights(void **state)
{
  static const struct {
    int64_t shares;
    const char *weight;
  } rows[] = { { 2, "1" },          { 4, "2" },      { 1024, "100" },
               { 512, "59" },       { 2048, "174" }, { 262144, "10000" },
               { 999999, "10000" }, { 1, "1" },      { 1536, "137" } };
  struct tree *t = *state;
  uint64_t before = 0;

  for (size_t i = 0; i < ZL_COUNT(rows); i++) {
    struct zl_resources res = nothing;

    res.cpu_shares = rows[i].shares;
    OK(zl_cgroup_apply(&t->cg, &res, &err));
    expect(t, "cpu.weight", rows[i].weight);
  }
  for (int64_t shares = 2; shares < 262144; shares += 97) {
    struct zl_resources res = nothing;
    uint64_t weight = 0;

    res.cpu_shares = shares;
    OK(zl_cgroup_apply(&t->cg, &res, &err));
    OK(zl_cgroup_read_number(&t->cg, ZL_TREE_UNIFIED, "cpu.weight", &weight, &err));
    assert_true(weight >= before && weight >= 1 && weight <= 10000);
    before = weight;
  }
}

static void expect_refusal(struct tree *t, const struct zl_resources *res, int code,
                           const char *word)
{

  assert_int_equal(zl_cgroup_apply(&t->cg, res, &err), code);
  assert_non_null(strstr(err.msg, word));
}

static void v2_refuses_what_it_cannot_do(void **state)
{
  struct tree *t = *state;
  const struct zl_key_value odd = { "memory.odd", "1" };
  struct zl_resources res = nothing;

  res.memory_swap = 64 << 20;
  expect_refusal(t, &res, -ZL_E_INVALID, "memory.swap");
  res = nothing;
  res.memory_swappiness = 10;
  expect_refusal(t, &res, -ZL_E_UNSUPPORTED, "swappiness");
  res = nothing;
  res.disable_oom_killer = true;
  expect_refusal(t, &res, -ZL_E_UNSUPPORTED, "disableOOMKiller");
  res = nothing;
  res.cpu_rt_runtime_us = 1000;
  expect_refusal(t, &res, -ZL_E_UNSUPPORTED, "realtime");
  res = nothing;
  res.unified = &odd;
  res.n_unified = 1;
  expect_refusal(t, &res, -ZL_E_UNSUPPORTED, "web/memory.odd");
}

static void v2_statistics(void **state)
{
  struct tree *t = *state;
  struct zl_cgroup_stats s;
  uint64_t kills = 0;

  put(t, "cpu.stat", "usage_usec 5000\nuser_usec 3000\nsystem_usec 2000\nnr_periods 0\n");
  put(t, "memory.current", "1000000\n");
  put(t, "memory.max", "max\n");
  put(t, "memory.stat", "anon 1\ninactive_anon 7\ninactive_file 400000\nactive_file 3\n");
  put(t, "memory.events", "low 0\nhigh 0\nmax 9\noom 3\noom_kill 2\noom_group_kill 0\n");
  put(t, "pids.current", "7\n");
  put(t, "pids.max", "100\n");
  put(t, "io.stat",
      "8:0 rbytes=100 wbytes=200 rios=1 wios=2 dbytes=0 dios=0\n"
      "8:16 rbytes=1 wbytes=2 rios=1 wios=1 dbytes=0 dios=0\n");
  OK(zl_cgroup_stats(&t->cg, &s, &err));
  assert_int_equal(s.cpu_usage_ns, 5000000);
  assert_int_equal(s.cpu_user_ns, 3000000);
  assert_int_equal(s.cpu_system_ns, 2000000);
  assert_int_equal(s.memory_bytes, 600000);
  assert_int_equal(s.memory_limit, UINT64_MAX);
  assert_int_equal(s.pids, 7);
  assert_int_equal(s.pids_limit, 100);
  assert_int_equal(s.block_read_bytes, 101);
  assert_int_equal(s.block_write_bytes, 202);
  OK(zl_cgroup_oom_kills(&t->cg, &kills, &err));
  assert_int_equal(kills, 2);
}

static void v2_kills_and_freezes_by_file(void **state)
{
  struct tree *t = *state;
  bool frozen = false;

  OK(zl_cgroup_kill(&t->cg, &err));
  expect(t, "cgroup.kill", "1");
  put(t, "cgroup.events", "populated 1\nfrozen 1\n");
  OK(zl_cgroup_freeze(&t->cg, true, &err));
  expect(t, "cgroup.freeze", "1");
  OK(zl_cgroup_is_frozen(&t->cg, &frozen, &err));
  assert_true(frozen);
}

static void set_available(struct tree *t, const char *words)
{
  OK(zl_file_replace(t->root.fd, "cgroup.controllers", words, strlen(words), 0644, false, &err));
}

static void expect_enabled(struct tree *t, const char *before, const char *last_write)
{
  zl_autobuf buf = ZL_BUF_INIT(256);
  struct zl_cgroup cg;

  OK(zl_file_replace(t->root.fd, "cgroup.subtree_control", before, strlen(before), 0644, false,
                     &err));
  OK(zl_cgroup_create(&t->root, "/other", &nothing, &cg, &err));
  OK(zl_cgroup_remove(&cg, &err));
  zl_cgroup_close(&cg);
  /* A plain file keeps the last write at its beginning. */
  OK(zl_file_read(t->root.fd, "cgroup.subtree_control", &buf, &err));
  assert_int_equal(strncmp(buf.data, last_write, strlen(last_write)), 0);
}

static void v2_hands_controllers_down(void **state)
{
  struct tree *t = *state;

  set_available(t, "cpuset cpu io memory hugetlb pids rdma misc\n");
  expect_enabled(t, "cpu io memory pids rdma misc\n", "+hugetlb");
  /* "cpuset" is not "cpu". */
  expect_enabled(t, "cpuset io memory pids hugetlb rdma misc\n", "+cpu");
  expect_enabled(t, "cpuset cpu io memory pids hugetlb rdma misc\n", "cpuset cpu");
  /* Those that the host has not, or has given to a v1 tree, are not asked for. */
  set_available(t, "hugetlb pids\n");
  expect_enabled(t, "pids\n", "+hugetlb");
  expect_enabled(t, "pids hugetlb\n", "pids hugetlb");
}

int main(void)
{
#define TREE(name) cmocka_unit_test_setup_teardown(name, tree_new, tree_free)
  const struct CMUnitTest tests[] = {
    TREE(v2_limits),
    TREE(a_limit_below_what_is_in_use),
    TREE(v2_says_max),
    TREE(v2_sets_only_what_is_said),
    TREE(v2_weights),
    TREE(v2_refuses_what_it_cannot_do),
    TREE(v2_statistics),
    TREE(v2_kills_and_freezes_by_file),
    TREE(v2_hands_controllers_down),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
