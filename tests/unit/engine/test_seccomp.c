/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/audit.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bpf_machine.h"
#include "engine/seccomp_private.h"

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#else
#define NATIVE AUDIT_ARCH_AARCH64
#endif

#define DOCKER_CAPS UINT64_C(0xa80425fb)
#define BIT(cap)    (UINT64_C(1) << (cap))
#define DENY        (SECCOMP_RET_ERRNO | EPERM)
#define MISSING     (SECCOMP_RET_ERRNO | ENOSYS)

static uint32_t run(const struct zl_seccomp_filter *f, uint32_t arch, uint32_t nr,
                    const uint64_t args[6])
{
  struct seccomp_data data = { .nr = (int)nr, .arch = arch };

  memcpy(data.args, args, sizeof(data.args));
  return bpf_run(f->insns, f->len, &data);
}

static uint32_t call(const struct zl_seccomp_filter *f, const char *name, uint64_t a0, uint64_t a1)
{
  int nr = zl_syscall_number(name);

  if (nr < 0)
    fail_msg("no system call %s", name);
  return run(f, NATIVE, (uint32_t)nr, (const uint64_t[6]){ a0, a1 });
}

static void the_table_is_sorted_and_in_range(void **state)
{
  (void)state;
  for (size_t i = 0; i < zl_syscall_count; i++) {
    const struct zl_syscall_entry *e = &zl_syscall_table[i];

    if (i > 0)
      assert_true(strcmp(zl_syscall_table[i - 1].name, e->name) < 0);
    assert_true(strlen(e->name) < sizeof(e->name));
    for (int a = 0; a < ZL_ARCH_COUNT; a++)
      assert_true(e->number[a] >= -1 && e->number[a] < ZL_SYSCALL_MAX);
    for (size_t j = 0; j < i; j++)
      for (int a = 0; a < ZL_ARCH_COUNT; a++)
        if (e->number[a] >= 0 && e->number[a] == zl_syscall_table[j].number[a])
          fail_msg("%s and %s have one number", e->name, zl_syscall_table[j].name);
  }
  assert_int_equal(zl_syscall_number("read"), SYS_read);
  assert_int_equal(zl_syscall_number("openat2"), SYS_openat2);
  assert_int_equal(zl_syscall_number("zzz"), -1);
  assert_int_equal(zl_syscall_number(""), -1);
  assert_int_equal(zl_syscall_number("rea"), -1);
  assert_int_equal(zl_syscall_number("readd"), -1);
}

static void find_works_from_every_hint(void **state)
{
  (void)state;
  for (size_t i = 0; i < zl_syscall_count; i++)
    for (size_t hint = 0; hint <= zl_syscall_count + 1; hint += 7) {
      size_t h = hint;
      const char *name = zl_syscall_table[i].name;

      assert_int_equal(zl_syscall_find(name, strlen(name), &h), (int)i);
    }
}

/* ---- The model: what the header promises, in the simplest way ------------------------------- */

static bool holds(const struct zl_seccomp_arg *a, const uint64_t args[6])
{
  const uint64_t v = args[a->index];

  switch ((enum zl_seccomp_op)a->op) {
  case ZL_CMP_NE:
    return v != a->value;
  case ZL_CMP_LT:
    return v < a->value;
  case ZL_CMP_LE:
    return v <= a->value;
  case ZL_CMP_EQ:
    return v == a->value;
  case ZL_CMP_GE:
    return v >= a->value;
  case ZL_CMP_GT:
    return v > a->value;
  case ZL_CMP_MASKED_EQ:
    return (v & a->value) == a->value2;
  }
  return false;
}

static bool fits(const struct zl_seccomp_rule *r, const uint64_t args[6])
{
  bool twice = false, any = false, all = true;

  for (size_t i = 0; i < r->n_args; i++) {
    for (size_t j = 0; j < i; j++)
      twice = twice || r->args[i].index == r->args[j].index;
    any = any || holds(&r->args[i], args);
    all = all && holds(&r->args[i], args);
  }
  return twice ? any : all;
}

static bool names_it(const struct zl_seccomp_rule *r, const char *name)
{
  const size_t len = strlen(name);

  for (const char *at = r->names; *at != '\0'; at += strspn(at, " ")) {
    const size_t n = strcspn(at, " ");

    if (n == len && memcmp(at, name, n) == 0)
      return true;
    at += n;
  }
  return false;
}

static uint32_t model(const struct zl_seccomp_profile *p, const char *name, const uint64_t args[6])
{
  for (int conditional = 1; conditional >= 0; conditional--)
    for (size_t i = 0; i < p->n_rules; i++)
      if ((p->rules[i].n_args > 0) == conditional && names_it(&p->rules[i], name) &&
          fits(&p->rules[i], args))
        return p->rules[i].action;
  return p->default_action;
}

static uint64_t seed;
static uint64_t random_number(void)
{
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return seed;
}

/* Values that comparisons stumble over: equal halves, neighbours, borders. */
static uint64_t random_value(void)
{
  static const uint64_t odd[] = { 0,
                                  1,
                                  2,
                                  0xffffffff,
                                  0x100000000,
                                  0x100000001,
                                  0xffffffff00000000,
                                  UINT64_MAX,
                                  UINT64_MAX - 1,
                                  0x7fffffffffffffff,
                                  40 };
  uint64_t v = odd[random_number() % ZL_COUNT(odd)];

  return random_number() % 3 == 0 ? v + random_number() % 3 - 1 : v;
}

static const char *random_name(void)
{
  return zl_syscall_table[random_number() % zl_syscall_count].name;
}

enum {
  RULES = 40,
  NAMES = 12
};

struct made {
  struct zl_seccomp_profile profile;
  struct zl_seccomp_rule rules[RULES];
  struct zl_seccomp_arg args[RULES][4];
  char names[RULES][NAMES * 32];
};

static void make_random(struct made *m)
{
  static const uint32_t actions[] = { SECCOMP_RET_ALLOW,
                                      DENY,
                                      MISSING,
                                      SECCOMP_RET_KILL_PROCESS,
                                      SECCOMP_RET_KILL_THREAD,
                                      SECCOMP_RET_TRAP,
                                      SECCOMP_RET_TRACE | 7,
                                      SECCOMP_RET_LOG };

  memset(m, 0, sizeof(*m));
  m->profile.default_action = actions[random_number() % ZL_COUNT(actions)];
  m->profile.compat32 = random_number() % 2;
  m->profile.rules = m->rules;
  m->profile.n_rules = random_number() % RULES;
  for (size_t i = 0; i < m->profile.n_rules; i++) {
    size_t n_names = 1 + random_number() % NAMES;
    char *end = m->names[i];

    for (size_t k = 0; k < n_names; k++)
      end += sprintf(end, "%s%s", k > 0 ? " " : "", random_name());
    m->rules[i] = (struct zl_seccomp_rule){ .names = m->names[i],
                                            .action = actions[random_number() % ZL_COUNT(actions)],
                                            .args = m->args[i],
                                            .n_args = random_number() % 2 * (random_number() % 5) };
    for (size_t k = 0; k < m->rules[i].n_args; k++)
      m->args[i][k] = (struct zl_seccomp_arg){ .index = (uint8_t)(random_number() % 6),
                                               .op = (uint8_t)(random_number() % 7),
                                               .value = random_value(),
                                               .value2 = random_value() };
  }
}

static void compare_all(const struct zl_seccomp_profile *p, const struct zl_seccomp_filter *f,
                        uint32_t audit, enum zl_syscall_arch arch, int samples)
{
  bool used[ZL_SYSCALL_MAX] = { false };
  uint64_t args[6] = { 0 };

  for (size_t i = 0; i < zl_syscall_count; i++) {
    const int nr = zl_syscall_table[i].number[arch];

    if (nr < 0)
      continue;
    used[nr] = true;
    for (int s = 0; s < samples; s++) {
      uint32_t want;

      for (int k = 0; k < 6; k++)
        args[k] = random_value();
      want = model(p, zl_syscall_table[i].name, args);
      if (run(f, audit, (uint32_t)nr, args) != want)
        fail_msg("%s: %#x instead of %#x", zl_syscall_table[i].name,
                 run(f, audit, (uint32_t)nr, args), want);
    }
  }
  for (uint32_t nr = 0; nr < 2000; nr++)
    if (nr >= ZL_SYSCALL_MAX || !used[nr])
      assert_int_equal(run(f, audit, nr, args), p->default_action);
}

static void random_profiles_do_what_the_model_says(void **state)
{
  static struct made m;

  (void)state;
  seed = 88172645463325252u;
  for (int round = 0; round < 150; round++) {
    zl_autofilter f = { 0 };
    struct zl_error err = { 0 };
    const uint64_t args[6] = { 0 };

    make_random(&m);
    assert_int_equal(zl_seccomp_compile(&m.profile, &f, &err), 0);
    compare_all(&m.profile, &f, NATIVE, ZL_ARCH_NATIVE, 6);
    // NOLINTNEXTLINE(misc-redundant-expression): equal on this architecture only
    if (m.profile.compat32 && ZL_ARCH_NATIVE == ZL_ARCH_X86_64)
      compare_all(&m.profile, &f, AUDIT_ARCH_I386, ZL_ARCH_I386, 3);
    else
      assert_int_equal(run(&f, AUDIT_ARCH_I386, 3, args), SECCOMP_RET_KILL_PROCESS);
    assert_int_equal(run(&f, AUDIT_ARCH_ARM, 3, args), SECCOMP_RET_KILL_PROCESS);
  }
}

/* Every second call another action: no ranges at all, and jumps longer than a byte. */
static void a_long_program_keeps_its_jumps(void **state)
{
  static char names[2][16 << 10];
  char *end[2] = { names[0], names[1] };
  struct zl_seccomp_arg args[6];
  struct zl_seccomp_rule rules[2] = { { names[0], SECCOMP_RET_ALLOW, NULL, 0 },
                                      { names[1], DENY, args, ZL_COUNT(args) } };
  struct zl_seccomp_profile p = { .default_action = MISSING, .rules = rules, .n_rules = 2 };
  zl_autofilter f = { 0 };
  struct zl_error err = { 0 };

  (void)state;
  seed = 1234567;
  for (size_t i = 0; i < zl_syscall_count; i++) {
    int which = zl_syscall_table[i].number[ZL_ARCH_NATIVE] % 8 == 0;

    end[which] += sprintf(end[which], "%s ", zl_syscall_table[i].name);
  }
  for (size_t i = 0; i < ZL_COUNT(args); i++)
    args[i] =
        (struct zl_seccomp_arg){ .index = (uint8_t)i, .op = (uint8_t)i, .value = random_value() };
  assert_int_equal(zl_seccomp_compile(&p, &f, &err), 0);
  assert_true(f.len > 600);
  compare_all(&p, &f, NATIVE, ZL_ARCH_NATIVE, 20);
}

static void too_long_a_program_is_an_error(void **state)
{
  static char names[16 << 10];
  char *end = names;
  struct zl_seccomp_arg args[6];
  struct zl_seccomp_rule rule = { names, DENY, args, ZL_COUNT(args) };
  struct zl_seccomp_profile p = { .default_action = MISSING, .rules = &rule, .n_rules = 1 };
  struct zl_seccomp_filter f = { 0 };
  struct zl_error err = { 0 };

  (void)state;
  for (size_t i = 0; i < zl_syscall_count; i++)
    end += sprintf(end, "%s ", zl_syscall_table[i].name);
  for (size_t i = 0; i < ZL_COUNT(args); i++)
    args[i] = (struct zl_seccomp_arg){ .index = (uint8_t)i, .op = ZL_CMP_GT, .value = 5 };
  assert_int_equal(zl_seccomp_compile(&p, &f, &err), -ZL_E_LIMIT);
  assert_null(f.insns);
}

static void foreign_calls_kill(void **state)
{
  const uint64_t args[6] = { 0 };
  zl_autofilter f = { 0 };
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(zl_seccomp_compile_default(DOCKER_CAPS, &f, &err), 0);
  for (uint32_t nr = 0; nr < 600; nr++) {
    assert_int_equal(run(&f, AUDIT_ARCH_I386, nr, args), SECCOMP_RET_KILL_PROCESS);
#if defined(__x86_64__)
    assert_int_equal(run(&f, NATIVE, nr | 0x40000000, args), SECCOMP_RET_KILL_PROCESS);
#endif
  }
#if defined(__x86_64__)
  assert_int_equal(run(&f, NATIVE, 0x3fffffff, args), MISSING);
  assert_int_equal(run(&f, NATIVE, 0xfffffffe, args), SECCOMP_RET_KILL_PROCESS);
  /* A tracer's "skip this call". */
  assert_int_equal(run(&f, NATIVE, 0xffffffff, args), MISSING);
#endif
}

static void the_default_denies_what_it_must(void **state)
{
  static const char *const denied[] = { "mount",          "umount2",     "unshare",
                                        "setns",          "bpf",         "kexec_load",
                                        "keyctl",         "add_key",     "request_key",
                                        "reboot",         "init_module", "open_by_handle_at",
                                        "swapon",         "userfaultfd", "perf_event_open",
                                        "io_uring_setup", "pivot_root",  "fsopen",
                                        "move_mount",     "open_tree",   "syslog",
                                        "settimeofday",   "acct",        "iopl",
                                        "quotactl" };
  static const char *const allowed[] = { "read",      "openat",   "execve",  "futex",
                                         "chroot",    "ptrace",   "mknodat", "setuid",
                                         "rseq",      "openat2",  "statx",   "epoll_pwait2",
                                         "fchmodat2", "cachestat" };
  zl_autofilter f = { 0 };
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(zl_seccomp_compile_default(DOCKER_CAPS, &f, &err), 0);
  /* The kernel pays for each one when a container starts. */
  assert_true(f.len <= 110);
  for (size_t i = 0; i < ZL_COUNT(denied); i++)
    if (zl_syscall_number(denied[i]) >= 0)
      assert_int_equal(call(&f, denied[i], 0, 0), DENY);
  for (size_t i = 0; i < ZL_COUNT(allowed); i++)
    if (zl_syscall_number(allowed[i]) >= 0)
      assert_int_equal(call(&f, allowed[i], 0, 0), SECCOMP_RET_ALLOW);
  assert_int_equal(call(&f, "clone3", 0, 0), MISSING);
  assert_int_equal(run(&f, NATIVE, 500, (const uint64_t[6]){ 0 }), MISSING);
}

static void the_default_looks_at_arguments(void **state)
{
  static const uint64_t flags[] = { CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
                                    CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET };
  const uint64_t dirt = UINT64_C(0xdead000000000000);
  zl_autofilter f = { 0 };
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(zl_seccomp_compile_default(DOCKER_CAPS, &f, &err), 0);
  assert_int_equal(call(&f, "clone", CLONE_VM | CLONE_FILES | 17, 0), SECCOMP_RET_ALLOW);
  for (size_t i = 0; i < ZL_COUNT(flags); i++)
    assert_int_equal(call(&f, "clone", flags[i] | 17, 0), DENY);
  assert_int_equal(call(&f, "personality", 0, 0), SECCOMP_RET_ALLOW);
  assert_int_equal(call(&f, "personality", 0xffffffff, 0), SECCOMP_RET_ALLOW);
  assert_int_equal(call(&f, "personality", 0x40000, 0), DENY);
  assert_int_equal(call(&f, "socket", AF_INET, 0), SECCOMP_RET_ALLOW);
  assert_int_equal(call(&f, "socket", AF_VSOCK, 0), SECCOMP_RET_ERRNO | EAFNOSUPPORT);
  /* What a program leaves in the upper half of an int argument hides nothing. */
  assert_int_equal(call(&f, "socket", AF_VSOCK | dirt, 0), SECCOMP_RET_ERRNO | EAFNOSUPPORT);
  assert_int_equal(call(&f, "ioctl", 0, TIOCGWINSZ), SECCOMP_RET_ALLOW);
  assert_int_equal(call(&f, "ioctl", 0, TIOCSTI), DENY);
  assert_int_equal(call(&f, "ioctl", 0, TIOCSTI | dirt), DENY);
  assert_int_equal(call(&f, "ioctl", 0, 0x541c), DENY);
}

static void capabilities_open_their_calls(void **state)
{
  static const struct {
    int cap;
    const char *name;
  } rows[] = {
    { CAP_SYS_ADMIN, "mount" },
    { CAP_SYS_ADMIN, "unshare" },
    { CAP_SYS_ADMIN, "bpf" },
    { CAP_SYS_ADMIN, "clone3" },
    { CAP_BPF, "bpf" },
    { CAP_SYS_BOOT, "reboot" },
    { CAP_SYS_CHROOT, "chroot" },
    { CAP_SYS_MODULE, "init_module" },
    { CAP_SYS_PTRACE, "kcmp" },
    { CAP_SYS_RAWIO, "iopl" },
    { CAP_SYS_TIME, "settimeofday" },
    { CAP_SYSLOG, "syslog" },
    { CAP_SYS_NICE, "mbind" },
    { CAP_SYS_PACCT, "acct" },
    { CAP_PERFMON, "perf_event_open" },
    { CAP_DAC_READ_SEARCH, "open_by_handle_at" },
    { CAP_SYS_TTY_CONFIG, "vhangup" },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(rows); i++) {
    zl_autofilter with = { 0 }, without = { 0 };
    struct zl_error err = { 0 };

    if (zl_syscall_number(rows[i].name) < 0)
      continue;
    assert_int_equal(zl_seccomp_compile_default(BIT(rows[i].cap), &with, &err), 0);
    assert_int_equal(zl_seccomp_compile_default(0, &without, &err), 0);
    assert_int_equal(call(&with, rows[i].name, CLONE_NEWNS, 0), SECCOMP_RET_ALLOW);
    assert_int_not_equal(call(&without, rows[i].name, CLONE_NEWNS, 0), SECCOMP_RET_ALLOW);
  }
}

/* Never allowed, whoever asks: the built-in profile is not "unconfined". */
static void some_calls_stay_closed_with_all_capabilities(void **state)
{
  zl_autofilter f = { 0 };
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(zl_seccomp_compile_default(UINT64_MAX, &f, &err), 0);
  assert_int_equal(call(&f, "kexec_load", 0, 0), DENY);
  assert_int_equal(call(&f, "keyctl", 0, 0), DENY);
  assert_int_equal(call(&f, "socket", AF_VSOCK, 0), SECCOMP_RET_ERRNO | EAFNOSUPPORT);
  assert_int_equal(call(&f, "clone", CLONE_NEWUSER, 0), SECCOMP_RET_ALLOW);
}

/* Answers of the kernel itself, asked by a child under the filter. */
static int child_under_filter(void)
{
  zl_autofilter f = { 0 };
  struct zl_error err = { 0 };
  int listener = 0;

  if (zl_seccomp_compile_default(DOCKER_CAPS, &f, &err) < 0 ||
      prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || zl_seccomp_install(&f, &listener, &err) < 0)
    return 1;
  if (listener != -1)
    return 2;
  if (getpid() <= 0 || syscall(SYS_getuid) < 0)
    return 3;
  if (unshare(CLONE_NEWUTS) == 0 || errno != EPERM)
    return 4;
  if (syscall(SYS_clone3, NULL, 0) == 0 || errno != ENOSYS)
    return 5;
  if (socket(AF_VSOCK, SOCK_STREAM, 0) >= 0 || errno != EAFNOSUPPORT)
    return 6;
  if (syscall(511) == 0 || errno != ENOSYS)
    return 7;
  return 0;
}

static void the_kernel_takes_the_default(void **state)
{
  pid_t pid = fork();
  int status = 0;

  (void)state;
  if (pid == 0)
    _exit(child_under_filter());
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
}

#if defined(__x86_64__)
static void the_kernel_kills_an_i386_call(void **state)
{
  pid_t pid = fork();
  int status = 0;

  (void)state;
  if (pid == 0) {
    long r;

    if (child_under_filter() != 0)
      _exit(1);
    __asm__ volatile("int $0x80" : "=a"(r) : "a"(20L) : "memory"); /* getpid */
    _exit((int)(r & 1) + 2);
  }
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_true(WIFSIGNALED(status));
  assert_int_equal(WTERMSIG(status), SIGSYS);
}
#endif

static void notify_gives_a_listener(void **state)
{
  const struct zl_seccomp_rule rule = { "uname", SECCOMP_RET_USER_NOTIF, NULL, 0 };
  const struct zl_seccomp_profile p = { .default_action = SECCOMP_RET_ALLOW,
                                        .rules = &rule,
                                        .n_rules = 1 };
  pid_t pid = fork();
  int status = 0;

  (void)state;
  if (pid == 0) {
    zl_autofilter f = { 0 };
    struct zl_error err = { 0 };
    int listener = -1;

    if (zl_seccomp_compile(&p, &f, &err) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        zl_seccomp_install(&f, &listener, &err) < 0)
      _exit(1);
    _exit(listener >= 0 && close(listener) == 0 ? 0 : 2);
  }
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_table_is_sorted_and_in_range),
    cmocka_unit_test(find_works_from_every_hint),
    cmocka_unit_test(random_profiles_do_what_the_model_says),
    cmocka_unit_test(a_long_program_keeps_its_jumps),
    cmocka_unit_test(too_long_a_program_is_an_error),
    cmocka_unit_test(foreign_calls_kill),
    cmocka_unit_test(the_default_denies_what_it_must),
    cmocka_unit_test(the_default_looks_at_arguments),
    cmocka_unit_test(capabilities_open_their_calls),
    cmocka_unit_test(some_calls_stay_closed_with_all_capabilities),
    cmocka_unit_test(the_kernel_takes_the_default),
#if defined(__x86_64__)
    cmocka_unit_test(the_kernel_kills_an_i386_call),
#endif
    cmocka_unit_test(notify_gives_a_listener),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
