/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/bpf_common.h>
#include <linux/seccomp.h>

#include "engine/seccomp_private.h"

enum {
  REACH = 250 /* a conditional jump has 8 bits; a few are left for trampolines before it */
};

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "halves of arguments are swapped else");

int zl_bpf_init(struct zl_bpf_emitter *e, struct zl_error *err)
{
  *e = (struct zl_bpf_emitter){ .code = malloc(BPF_MAXINSNS * sizeof(*e->code)) };
  return e->code != NULL ? 0 : zl_fail_nomem(err, "system call filter");
}

void zl_bpf_done(struct zl_bpf_emitter *e)
{
  free(e->code);
  e->code = NULL;
}

static zl_label emit(struct zl_bpf_emitter *e, unsigned code, uint32_t k, size_t jt, size_t jf)
{
  if (e->n == BPF_MAXINSNS) {
    e->overflow = true;
    return 0;
  }
  e->code[e->n] =
      (struct sock_filter){ .code = (uint16_t)code, .k = k, .jt = (uint8_t)jt, .jf = (uint8_t)jf };
  return e->n++;
}

/* How many instructions a jump emitted now would skip. */
static size_t distance(const struct zl_bpf_emitter *e, zl_label to)
{
  return e->n - to - 1;
}

zl_label zl_bpf_return(struct zl_bpf_emitter *e, uint32_t action)
{
  size_t i = 0;

  while (i < e->n_returns && e->code[e->returns[i]].k != action)
    i++;
  if (i < e->n_returns && e->n - e->returns[i] <= REACH)
    return e->returns[i];
  if (i == ZL_BPF_RETURNS)
    return emit(e, BPF_RET | BPF_K, action, 0, 0);
  if (i == e->n_returns)
    e->n_returns++;
  e->returns[i] = emit(e, BPF_RET | BPF_K, action, 0, 0);
  return e->returns[i];
}

/* A label that a conditional jump emitted soon can reach and that leads to `to`. */
static zl_label near(struct zl_bpf_emitter *e, zl_label to)
{
  if (e->overflow || e->n - to <= REACH)
    return to;
  if (BPF_CLASS(e->code[to].code) == BPF_RET)
    return zl_bpf_return(e, e->code[to].k);
  return emit(e, BPF_JMP | BPF_JA, (uint32_t)distance(e, to), 0, 0);
}

zl_label zl_bpf_jump(struct zl_bpf_emitter *e, unsigned op, uint32_t k, zl_label yes, zl_label no)
{
  if (yes == no)
    return yes;
  yes = near(e, yes);
  no = near(e, no);
  return emit(e, BPF_JMP | BPF_K | op, k, distance(e, yes), distance(e, no));
}

zl_label zl_bpf_load(struct zl_bpf_emitter *e, size_t offset, zl_label next)
{
  if (next + 1 != e->n)
    (void)emit(e, BPF_JMP | BPF_JA, (uint32_t)distance(e, next), 0, 0);
  return emit(e, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

/* "A = word at offset & mask; if (A op k) …" */
static zl_label half(struct zl_bpf_emitter *e, size_t offset, uint32_t mask, unsigned op,
                     uint32_t k, zl_label yes, zl_label no)
{
  zl_label next;

  if (yes == no)
    return yes;
  next = zl_bpf_jump(e, op, k, yes, no);
  if (mask != UINT32_MAX)
    next = emit(e, BPF_ALU | BPF_AND | BPF_K, mask, 0, 0);
  return zl_bpf_load(e, offset, next);
}

struct wide {
  size_t low_at, high_at; /* offsets of the halves */
  uint32_t low, high;     /* halves of the value */
};

static zl_label equal(struct zl_bpf_emitter *e, const struct wide *w, uint64_t mask, zl_label yes,
                      zl_label no)
{
  const uint32_t high_mask = (uint32_t)(mask >> 32);
  zl_label low = half(e, w->low_at, (uint32_t)mask, BPF_JEQ, w->low, yes, no);

  /* Most masks are for 32-bit arguments, whose other half the kernel ignores as well. */
  if (high_mask == 0)
    return w->high == 0 ? low : no;
  return half(e, w->high_at, high_mask, BPF_JEQ, w->high, low, no);
}

/* The high halves decide unless they are equal. `op` (JGT or JGE) is for the low halves. */
static zl_label greater(struct zl_bpf_emitter *e, const struct wide *w, unsigned op, zl_label yes,
                        zl_label no)
{
  zl_label low = half(e, w->low_at, UINT32_MAX, op, w->low, yes, no);
  zl_label same = zl_bpf_jump(e, BPF_JEQ, w->high, low, no);

  same = zl_bpf_jump(e, BPF_JGT, w->high, yes, same);
  return zl_bpf_load(e, w->high_at, same);
}

zl_label zl_bpf_condition(struct zl_bpf_emitter *e, const struct zl_seccomp_arg *arg, zl_label yes,
                          zl_label no)
{
  const bool masked = arg->op == ZL_CMP_MASKED_EQ;
  const uint64_t value = masked ? arg->value2 : arg->value;
  const size_t at = offsetof(struct seccomp_data, args) + arg->index * sizeof(uint64_t);
  const struct wide w = {
    .low_at = at, .high_at = at + 4, .low = (uint32_t)value, .high = (uint32_t)(value >> 32)
  };

  switch ((enum zl_seccomp_op)arg->op) {
  case ZL_CMP_EQ:
    return equal(e, &w, UINT64_MAX, yes, no);
  case ZL_CMP_NE:
    return equal(e, &w, UINT64_MAX, no, yes);
  case ZL_CMP_MASKED_EQ:
    return equal(e, &w, arg->value, yes, no);
  case ZL_CMP_GT:
    return greater(e, &w, BPF_JGT, yes, no);
  case ZL_CMP_LE:
    return greater(e, &w, BPF_JGT, no, yes);
  case ZL_CMP_GE:
    return greater(e, &w, BPF_JGE, yes, no);
  case ZL_CMP_LT:
    return greater(e, &w, BPF_JGE, no, yes);
  }
  return no;
}

int zl_bpf_finish(const struct zl_bpf_emitter *e, struct zl_seccomp_filter *ret,
                  struct zl_error *err)
{
  struct sock_filter *insns;

  if (e->overflow)
    return zl_fail(err, ZL_E_LIMIT, 0,
                   "system call filter: more than %d instructions, which is what the kernel takes",
                   BPF_MAXINSNS);
  insns = malloc(e->n * sizeof(*insns));
  if (insns == NULL)
    return zl_fail_nomem(err, "system call filter");
  for (size_t i = 0; i < e->n; i++)
    insns[i] = e->code[e->n - 1 - i];
  ret->insns = insns;
  ret->len = (unsigned short)e->n;
  return 0;
}
