/* SPDX-License-Identifier: Apache-2.0
 *
 * A machine for the classic BPF that seccomp filters may use, strict where the kernel is: a jump
 * out of the program, an unknown instruction or a load at an odd place ends the test.
 */
#ifndef ZL_TEST_BPF_MACHINE_H
#define ZL_TEST_BPF_MACHINE_H

#include <linux/bpf_common.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <string.h>

static inline bool bpf_decides(uint16_t code, uint32_t a, uint32_t k)
{
  switch (BPF_OP(code)) {
  case BPF_JEQ:
    return a == k;
  case BPF_JGT:
    return a > k;
  case BPF_JGE:
    return a >= k;
  case BPF_JSET:
    return (a & k) != 0;
  default:
    fail_msg("jump %#x is not known", code);
    return false;
  }
}

static inline uint32_t bpf_run(const struct sock_filter *insns, size_t n,
                               const struct seccomp_data *data)
{
  uint32_t a = 0;

  for (size_t pc = 0; pc < n; pc++) {
    const struct sock_filter *i = &insns[pc];

    switch (BPF_CLASS(i->code)) {
    case BPF_LD:
      assert_int_equal(i->code, BPF_LD | BPF_W | BPF_ABS);
      assert_true(i->k % 4 == 0 && i->k < sizeof(*data));
      memcpy(&a, (const char *)data + i->k, sizeof(a));
      break;
    case BPF_ALU:
      assert_int_equal(i->code, BPF_ALU | BPF_AND | BPF_K);
      a &= i->k;
      break;
    case BPF_JMP:
      if (BPF_OP(i->code) == BPF_JA)
        pc += i->k;
      else
        pc += bpf_decides(i->code, a, i->k) ? i->jt : i->jf;
      break;
    case BPF_RET:
      assert_int_equal(i->code, BPF_RET | BPF_K);
      return i->k;
    default:
      fail_msg("instruction %#x is not known", i->code);
    }
  }
  fail_msg("the program runs off its end");
  return 0;
}

#endif
