/* SPDX-License-Identifier: Apache-2.0
 *
 * Device rules: a grid of device numbers is asked of the kernel, with the v1 files and with the BPF
 * program, and compared with the plain model. access(2) asks without opening, so that no driver is
 * touched.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "engine/cgroup.h"
#include "engine/devices_policy.h"
#include "resources.h"

#define ANY ZL_UNSET
#define ALL (ZL_DEV_READ | ZL_DEV_WRITE | ZL_DEV_MKNOD)

enum {
  MAJORS = 24,
  MINORS = 8
};

static struct zl_cgroup_root roots[2];
static size_t n_roots;
static char box[64];

static const char *node(char text[64], char type, unsigned major, unsigned minor)
{
  (void)snprintf(text, 64, "%s/%c-%u-%u", box, type, major, minor);
  return text;
}

/* Majors 0 to 22, and the terminals' 136 as the last. */
static unsigned major_of(unsigned i)
{
  return i == MAJORS - 1 ? 136 : i;
}

static int start(void **state)
{
  char text[64];

  (void)state;
  (void)snprintf(box, sizeof(box), "/tmp/zl-devices-XXXXXX");
  if (mkdtemp(box) == NULL || zl_cgroup_root_open(&roots[0], &err) < 0)
    return -1;
  n_roots = 1;
  if (roots[0].mode == ZL_CGROUP_HYBRID) {
    roots[1].mode = ZL_CGROUP_V2;
    roots[1].fd = zl_fd_open(roots[0].fd, "unified", O_PATH | O_DIRECTORY, 0);
    n_roots = 2;
  }
  for (unsigned a = 0; a < MAJORS; a++)
    for (unsigned b = 0; b < MINORS; b++) {
      const dev_t dev = makedev(major_of(a), b);

      if (mknod(node(text, 'c', major_of(a), b), S_IFCHR | 0666, dev) < 0 ||
          mknod(node(text, 'b', major_of(a), b), S_IFBLK | 0666, dev) < 0)
        return -1;
    }
  return 0;
}

static int remove_left_over(void *payload, const char *name)
{
  struct zl_cgroup cg;

  print_error("left over: %s\n", name);
  if (zl_cgroup_open(payload, name, &cg, &err) == 0) {
    (void)zl_cgroup_remove(&cg, &err);
    zl_cgroup_close(&cg);
  }
  return 0;
}

static int finish(void **state)
{
  char prefix[32];

  (void)state;
  (void)snprintf(prefix, sizeof(prefix), "zlt%d-", (int)getpid());
  for (size_t i = 0; i < n_roots; i++)
    (void)zl_cgroup_enumerate(&roots[i], prefix, remove_left_over, &roots[i], &err);
  for (size_t i = 0; i < n_roots; i++)
    zl_cgroup_root_close(&roots[i]);
  return zl_path_remove_tree(AT_FDCWD, box);
}

/* The bits the kernel grants; asked one by one and both at once. */
static bool kernel_allows(char type, unsigned major, unsigned minor, uint8_t access_bits)
{
  char text[64];
  int mode = ((access_bits & ZL_DEV_READ) != 0 ? R_OK : 0) |
             ((access_bits & ZL_DEV_WRITE) != 0 ? W_OK : 0);

  return faccessat(AT_FDCWD, node(text, type, major, minor), mode, 0) == 0;
}

static bool kernel_makes(char type, unsigned major, unsigned minor)
{
  char text[72];
  int r;

  (void)snprintf(text, sizeof(text), "%s/new", box);
  r = mknod(text, (type == 'c' ? S_IFCHR : S_IFBLK) | 0600, makedev(major, minor));
  if (r == 0)
    (void)unlink(text);
  return r == 0;
}

static int differs(const char *what, char type, unsigned major, unsigned minor, bool kernel)
{
  (void)fprintf(stderr, "%c %u:%u %s: the kernel says %s\n", type, major, minor, what,
                kernel ? "yes" : "no");
  return 1;
}

static int compare_one(const struct zl_device_policy *p, char type, unsigned major, unsigned minor)
{
  static const uint8_t kinds[] = { ZL_DEV_READ, ZL_DEV_WRITE, ZL_DEV_READ | ZL_DEV_WRITE };
  bool kernel;

  /* 0:0 is no device (a whiteout): the kernel does not ask. */
  if (major + minor == 0)
    return 0;
  for (size_t i = 0; i < ZL_COUNT(kinds); i++) {
    kernel = kernel_allows(type, major, minor, kinds[i]);
    if (kernel != zl_device_policy_allows(p, type, major, minor, kinds[i]))
      return differs(i == 0 ? "read" : "write", type, major, minor, kernel);
  }
  /* 0:0 is no device (a whiteout), which anybody may make. */
  kernel = kernel_makes(type, major, minor);
  if (major + minor > 0 && kernel != zl_device_policy_allows(p, type, major, minor, ZL_DEV_MKNOD))
    return differs("mknod", type, major, minor, kernel);
  return 0;
}

static int compare_grid(const struct zl_device_policy *p)
{
  int r = 0;

  for (unsigned a = 0; r == 0 && a < MAJORS; a++)
    for (unsigned b = 0; r == 0 && b < MINORS; b++) {
      r = compare_one(p, 'c', major_of(a), b);
      if (r == 0)
        r = compare_one(p, 'b', major_of(a), b);
    }
  return r;
}

static void in_cgroup(const struct zl_cgroup *cg, const struct zl_device_policy *p)
{
  int status = 0;
  pid_t pid = fork();

  assert_true(pid >= 0);
  if (pid == 0)
    _exit(zl_cgroup_add(cg, 0, false, &err) < 0 ? 2 : compare_grid(p));
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
}

static void hold_to_model(const struct zl_device_rule *const *lists, const size_t *sizes, size_t n)
{
  char name[64];

  (void)snprintf(name, sizeof(name), "/zlt%d-devices", (int)getpid());
  for (size_t i = 0; i < n_roots; i++) {
    struct zl_device_policy policy;
    struct zl_cgroup cg;

    assert_int_equal(zl_cgroup_create(&roots[i], name, &nothing, &cg, &err), 0);
    /* One after the other in the same cgroup: an update must not leave anything of before. */
    for (size_t k = 0; k < n; k++) {
      assert_int_equal(zl_device_policy_make(lists[k], sizes[k], &policy, &err), 0);
      if (zl_cgroup_set_devices(&cg, lists[k], sizes[k], &err) < 0)
        fail_msg("%s", err.msg);
      in_cgroup(&cg, &policy);
    }
    assert_int_equal(zl_cgroup_remove(&cg, &err), 0);
    zl_cgroup_close(&cg);
  }
}

static void the_kernel_agrees_with_the_model(void **state)
{
  static const struct zl_device_rule deny_all[] = { { false, 'a', ANY, ANY, ALL } };
  static const struct zl_device_rule docker[] = {
    { false, 'a', ANY, ANY, ALL },
    { true, 'c', 10, 200 % MINORS, ALL },
    { true, 'b', 8, ANY, ZL_DEV_READ },
    { true, 'c', 4, 5, ZL_DEV_WRITE | ZL_DEV_READ },
  };
  static const struct zl_device_rule privileged[] = { { true, 'a', ANY, ANY, ALL } };
  static const struct zl_device_rule all_but[] = {
    { true, 'a', ANY, ANY, ALL },
    { false, 'b', 8, ANY, ALL },
    { false, 'c', 10, 3, ALL },
  };
  static const struct zl_device_rule majors[] = {
    { true, 'c', 7, ANY, ALL }, { true, 'b', ANY, 3, ZL_DEV_READ | ZL_DEV_WRITE }
  };
  static const struct zl_device_rule both[] = { { true, 'a', 9, 9, ALL } };
  /* Not plain: v1 alone has no words for the second rule. */
  static const struct zl_device_rule taken_back[] = {
    { true, 'c', 10, ANY, ALL },
    { false, 'c', 10, 7, ZL_DEV_WRITE },
    { false, 'c', 1, 3, ZL_DEV_READ },
  };
  const struct zl_device_rule *const lists[] = { NULL,   deny_all, docker,     privileged, all_but,
                                                 majors, both,     taken_back, deny_all };
  const size_t sizes[] = { 0, 1, 4, 1, 3, 2, 1, 3, 1 };

  (void)state;
  hold_to_model(lists, sizes, ZL_COUNT(lists));
}

static void the_model_itself(void **state)
{
  static const struct zl_device_rule rules[] = {
    { true, 'a', ANY, ANY, ALL },
    { false, 'a', ANY, ANY, ALL },
    { true, 'c', 10, 5, ZL_DEV_READ },
  };
  struct zl_device_policy p;

  (void)state;
  assert_int_equal(zl_device_policy_make(rules, ZL_COUNT(rules), &p, &err), 0);
  assert_false(p.allow_by_default);
  assert_int_equal(p.n, 1 + ZL_DEFAULT_DEVICES);
  assert_true(zl_device_policy_allows(&p, 'c', 1, 3, ZL_DEV_READ | ZL_DEV_WRITE));
  assert_true(zl_device_policy_allows(&p, 'c', 10, 5, ZL_DEV_READ));
  assert_false(zl_device_policy_allows(&p, 'c', 10, 5, ZL_DEV_READ | ZL_DEV_WRITE));
  assert_false(zl_device_policy_allows(&p, 'b', 10, 5, ZL_DEV_READ));
  assert_false(zl_device_policy_allows(&p, 'c', 1, 1, ZL_DEV_READ));
  assert_true(zl_device_policy_allows(&p, 'b', 8, 0, ZL_DEV_MKNOD));
  assert_false(zl_device_policy_allows(&p, 'b', 8, 0, ZL_DEV_READ));
  assert_false(zl_device_policy_is_open(&p));
  assert_int_equal(zl_device_policy_make(rules, 1, &p, &err), 0);
  assert_true(zl_device_policy_is_open(&p));
}

static void only_exceptions_are_plain(void **state)
{
  static const struct zl_device_rule redundant[] = { { false, 'c', 10, 5, ALL } };
  static const struct zl_device_rule undone[] = { { true, 'c', 10, ANY, ALL },
                                                  { false, 'c', 10, 5, ALL } };
  static const struct zl_device_rule apart[] = { { true, 'c', 10, 4, ALL },
                                                 { false, 'c', 10, 5, ALL } };
  struct zl_device_policy p;

  (void)state;
  assert_int_equal(zl_device_policy_make(redundant, 1, &p, &err), 0);
  assert_true(p.plain);
  assert_int_equal(p.n, ZL_DEFAULT_DEVICES);
  assert_int_equal(zl_device_policy_make(undone, 2, &p, &err), 0);
  assert_false(p.plain);
  assert_int_equal(zl_device_policy_make(apart, 2, &p, &err), 0);
  assert_true(p.plain);
}

/* More would be allowed than was said. */
static void pure_v1_refuses_what_it_cannot_say(void **state)
{
  static const struct zl_device_rule undone[] = { { true, 'c', 10, ANY, ALL },
                                                  { false, 'c', 10, 5, ALL } };
  struct zl_cgroup_root v1 = { .mode = ZL_CGROUP_V1, .fd = roots[0].fd };
  struct zl_cgroup cg;
  char name[64];

  (void)state;
  if (roots[0].mode == ZL_CGROUP_V2)
    return;
  (void)snprintf(name, sizeof(name), "/zlt%d-pure", (int)getpid());
  assert_int_equal(zl_cgroup_create(&v1, name, &nothing, &cg, &err), 0);
  assert_int_equal(zl_cgroup_set_devices(&cg, undone, 2, &err), -ZL_E_UNSUPPORTED);
  assert_int_equal(zl_cgroup_remove(&cg, &err), 0);
  zl_cgroup_close(&cg);
}

static void too_many_rules(void **state)
{
  static struct zl_device_rule rules[ZL_MAX_DEVICES + 1];
  struct zl_device_policy p;

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(rules); i++)
    rules[i] =
        (struct zl_device_rule){ i % 2 == 0, "abc"[i % 3], (int64_t)i, ANY, (uint8_t)(1 + i % 7) };
  assert_int_equal(zl_device_policy_make(rules, ZL_MAX_DEVICES + 1, &p, &err), -ZL_E_LIMIT);
  assert_int_equal(zl_device_policy_make(rules, ZL_MAX_DEVICES, &p, &err), 0);
  assert_true(p.n <= ZL_MAX_POLICY);
}

/* The longest list of the most conditions is still a program that the kernel takes. */
static void the_longest_program_loads(void **state)
{
  static struct zl_device_rule rules[ZL_MAX_DEVICES];
  char name[64];

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(rules); i++)
    rules[i] =
        (struct zl_device_rule){ i % 2 == 0, "bc"[i % 2], 200 + (int64_t)i % 40, (int64_t)i, 3 };
  (void)snprintf(name, sizeof(name), "/zlt%d-longest", (int)getpid());
  for (size_t i = 0; i < n_roots; i++) {
    struct zl_cgroup cg;

    assert_int_equal(zl_cgroup_create(&roots[i], name, &nothing, &cg, &err), 0);
    if (zl_cgroup_set_devices(&cg, rules, ZL_COUNT(rules), &err) < 0)
      fail_msg("%s", err.msg);
    assert_int_equal(zl_cgroup_remove(&cg, &err), 0);
    zl_cgroup_close(&cg);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_model_itself),
    cmocka_unit_test(only_exceptions_are_plain),
    cmocka_unit_test(pure_v1_refuses_what_it_cannot_say),
    cmocka_unit_test(too_many_rules),
    cmocka_unit_test(the_kernel_agrees_with_the_model),
    cmocka_unit_test(the_longest_program_loads),
  };

  return cmocka_run_group_tests(tests, start, finish);
}
