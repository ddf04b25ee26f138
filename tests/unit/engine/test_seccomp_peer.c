/* SPDX-License-Identifier: Apache-2.0
 *
 * libseccomp builds the same profiles; both programs must say the same of every call. Only profiles
 * whose meaning does not depend on the order of rules are compared.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/audit.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bpf_machine.h"
#include "engine/seccomp_private.h"

#define DENY (SECCOMP_RET_ERRNO | EPERM)

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#else
#define NATIVE AUDIT_ARCH_AARCH64
#endif

enum {
  MAX_PEER = 65536 /* bytes of a program */
};

static const enum scmp_compare peer_op[] = {
  [ZL_CMP_NE] = SCMP_CMP_NE,
  [ZL_CMP_LT] = SCMP_CMP_LT,
  [ZL_CMP_LE] = SCMP_CMP_LE,
  [ZL_CMP_EQ] = SCMP_CMP_EQ,
  [ZL_CMP_GE] = SCMP_CMP_GE,
  [ZL_CMP_GT] = SCMP_CMP_GT,
  [ZL_CMP_MASKED_EQ] = SCMP_CMP_MASKED_EQ,
};

static uint64_t seed = 4711;
static uint64_t random_number(void)
{
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return seed;
}

static uint64_t random_value(void)
{
  static const uint64_t odd[] = {
    0, 1, 2, 0xffffffff, 0x100000000, 0xffffffff00000000, UINT64_MAX, 0x8000000000000000, 40
  };

  return odd[random_number() % ZL_COUNT(odd)] + random_number() % 2;
}

static void add_to_peer(scmp_filter_ctx ctx, const struct zl_seccomp_rule *r)
{
  struct scmp_arg_cmp args[6];

  for (size_t i = 0; i < r->n_args; i++)
    args[i] = (struct scmp_arg_cmp){ r->args[i].index, peer_op[r->args[i].op], r->args[i].value,
                                     r->args[i].value2 };
  assert_int_equal(seccomp_rule_add_array(ctx, r->action, seccomp_syscall_resolve_name(r->names),
                                          (unsigned)r->n_args, args),
                   0);
}

static size_t export_peer(scmp_filter_ctx ctx, struct sock_filter *insns)
{
  int fd = memfd_create("peer", MFD_CLOEXEC);
  ssize_t n;

  assert_true(fd >= 0);
  assert_int_equal(seccomp_export_bpf(ctx, fd), 0);
  assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
  n = read(fd, insns, MAX_PEER);
  assert_true(n > 0 && n < MAX_PEER);
  (void)close(fd);
  return (size_t)n / sizeof(*insns);
}

/* One rule per call, so that libseccomp's idea of conflicting rules does not matter. */
static size_t make_rules(struct zl_seccomp_rule *rules, struct zl_seccomp_arg (*args)[6],
                         uint32_t default_action)
{
  static const uint32_t actions[] = { SECCOMP_RET_ALLOW, DENY, SECCOMP_RET_TRAP,
                                      SECCOMP_RET_ERRNO | 5 };
  size_t n = 0;

  for (size_t i = 0; i < zl_syscall_count; i++) {
    const char *name = zl_syscall_table[i].name;
    uint32_t action = actions[random_number() % ZL_COUNT(actions)];
    struct zl_seccomp_rule *r = &rules[n];

    if (zl_syscall_table[i].number[ZL_ARCH_NATIVE] < 0 || action == default_action ||
        seccomp_syscall_resolve_name(name) < 0 || random_number() % 3 == 0)
      continue;
    *r = (struct zl_seccomp_rule){ .names = name, .action = action, .args = args[n] };
    if (random_number() % 4 == 0)
      r->n_args = 1 + random_number() % 6;
    for (size_t k = 0; k < r->n_args; k++) {
      args[n][k] = (struct zl_seccomp_arg){ .index = (uint8_t)k,
                                            .op = (uint8_t)(random_number() % 7),
                                            .value = random_value(),
                                            .value2 = random_value() };
      /* Bits to compare outside of the mask: libseccomp drops them, we say "never equal". */
      if (args[n][k].op == ZL_CMP_MASKED_EQ)
        args[n][k].value2 &= args[n][k].value;
    }
    n++;
  }
  return n;
}

static void compare(const struct zl_seccomp_filter *ours, const struct sock_filter *peer,
                    size_t peer_len)
{
  for (size_t i = 0; i < zl_syscall_count; i++) {
    struct seccomp_data data = { .nr = zl_syscall_table[i].number[ZL_ARCH_NATIVE], .arch = NATIVE };

    if (data.nr < 0)
      continue;
    for (int sample = 0; sample < 12; sample++) {
      uint32_t a, b;

      for (int k = 0; k < 6; k++)
        data.args[k] = random_value();
      a = bpf_run(ours->insns, ours->len, &data);
      b = bpf_run(peer, peer_len, &data);
      if (a != b)
        fail_msg("%s: we say %#x, libseccomp %#x", zl_syscall_table[i].name, a, b);
    }
  }
}

static void both_say_the_same(void **state)
{
  static struct zl_seccomp_rule rules[ZL_SYSCALL_MAX];
  static struct zl_seccomp_arg args[ZL_SYSCALL_MAX][6];
  static struct sock_filter peer[MAX_PEER / sizeof(struct sock_filter)];

  (void)state;
  for (int round = 0; round < 25; round++) {
    const uint32_t def = round % 2 == 0 ? SECCOMP_RET_ERRNO | ENOSYS : SECCOMP_RET_ALLOW;
    struct zl_seccomp_profile p = { .default_action = def, .rules = rules };
    scmp_filter_ctx ctx = seccomp_init(def);
    struct zl_error err = { 0 };
    zl_autofilter f = { 0 };

    assert_non_null(ctx);
    p.n_rules = make_rules(rules, args, def);
    for (size_t i = 0; i < p.n_rules; i++)
      add_to_peer(ctx, &rules[i]);
    assert_int_equal(zl_seccomp_compile(&p, &f, &err), 0);
    compare(&f, peer, export_peer(ctx, peer));
    seccomp_release(ctx);
  }
}

static void both_have_the_same_numbers(void **state)
{
  static const uint32_t archs[ZL_ARCH_COUNT] = { [ZL_ARCH_X86_64] = SCMP_ARCH_X86_64,
                                                 [ZL_ARCH_I386] = SCMP_ARCH_X86,
                                                 [ZL_ARCH_AARCH64] = SCMP_ARCH_AARCH64 };
  size_t compared = 0;

  (void)state;
  for (size_t i = 0; i < zl_syscall_count; i++)
    for (int a = 0; a < ZL_ARCH_COUNT; a++) {
      const int ours = zl_syscall_table[i].number[a];
      int peer = seccomp_syscall_resolve_name_arch(archs[a], zl_syscall_table[i].name);

      /* Negative: not on this architecture, or newer than the library. */
      if (peer < 0 || ours < 0)
        continue;
      assert_int_equal(ours, peer);
      compared++;
    }
  assert_true(compared > 1000);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(both_have_the_same_numbers),
    cmocka_unit_test(both_say_the_same),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
