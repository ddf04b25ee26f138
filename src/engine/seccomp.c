/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/bpf_common.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/limits.h"
#include "engine/seccomp_private.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

#define X32_FIRST 0x40000000u
/* A tracer sets -1 to skip a call: that is not a call of a foreign architecture. */
#define SKIPPED   0xffffffffu

/* One name of one rule. */
struct use {
  uint16_t number, rule;
};

/* What happens to one system call number. */
struct verdict {
  uint32_t action; /* of the first rule without conditions, or the default */
  bool decided;    /* such a rule was there */
  bool conditional;
};

struct compiler {
  const struct zl_seccomp_profile *profile;
  struct zl_bpf_emitter e;
  struct use *uses;
  size_t n_uses;
  uint32_t newest; /* the highest number named */
  struct verdict verdicts[ZL_SYSCALL_MAX];
};

/* Numbers from `first` up to the next segment share a verdict. */
struct segment {
  uint32_t first;
  uint32_t action;
  bool conditional;
};

struct segments {
  size_t n;
  struct segment items[ZL_SYSCALL_MAX + 3];
};

static void compiler_done(struct compiler *c)
{
  zl_bpf_done(&c->e);
  free(c->uses);
}

static size_t count_names(const struct zl_seccomp_profile *p)
{
  size_t n = 0;

  for (size_t i = 0; i < p->n_rules; i++) {
    n++;
    for (const char *c = p->rules[i].names; *c != '\0'; c++)
      n += *c == ' ';
  }
  return n;
}

static void use_rule(struct compiler *c, uint16_t rule, enum zl_syscall_arch arch)
{
  const struct zl_seccomp_rule *r = &c->profile->rules[rule];
  size_t hint = 0;

  for (const char *name = r->names; *name != '\0';) {
    size_t len = strcspn(name, " ");
    int at = zl_syscall_find(name, len, &hint);
    int number = at >= 0 ? zl_syscall_table[at].number[arch] : -1;

    name += len + (name[len] == ' ');
    if (number < 0)
      continue;
    if ((uint32_t)number > c->newest)
      c->newest = (uint32_t)number;
    if (r->n_args > 0) {
      c->verdicts[number].conditional = true;
      c->uses[c->n_uses++] = (struct use){ .number = (uint16_t)number, .rule = rule };
    } else if (!c->verdicts[number].decided) {
      c->verdicts[number].action = r->action;
      c->verdicts[number].decided = true;
    }
  }
}

/* Its author cannot have meant calls that came later. C libraries try those first, and take the
 * older way only when they hear that there is no such call. */
static uint32_t unknown_action(const struct compiler *c)
{
  return c->profile->spares_unknown && c->newest > 0 ? SECCOMP_RET_ERRNO | ENOSYS
                                                     : c->profile->default_action;
}

static void judge(struct compiler *c, enum zl_syscall_arch arch)
{
  c->n_uses = 0;
  c->newest = 0;
  for (size_t i = 0; i < ZL_SYSCALL_MAX; i++)
    c->verdicts[i] = (struct verdict){ .action = c->profile->default_action };
  for (size_t i = 0; i < c->profile->n_rules; i++)
    use_rule(c, (uint16_t)i, arch);
  for (size_t i = c->newest + 1; i < ZL_SYSCALL_MAX; i++)
    c->verdicts[i].action = unknown_action(c);
}

static void add_segment(struct segments *s, uint32_t first, uint32_t action, bool conditional)
{
  const struct segment *last = s->n > 0 ? &s->items[s->n - 1] : NULL;

  if (last == NULL || conditional || last->conditional || last->action != action)
    s->items[s->n++] =
        (struct segment){ .first = first, .action = action, .conditional = conditional };
}

static void make_segments(const struct compiler *c, enum zl_syscall_arch arch, struct segments *s)
{
  s->n = 0;
  for (uint32_t i = 0; i < ZL_SYSCALL_MAX; i++)
    add_segment(s, i, c->verdicts[i].action, c->verdicts[i].conditional);
  add_segment(s, ZL_SYSCALL_MAX, unknown_action(c), false);
  if (arch != ZL_ARCH_X86_64)
    return;
  add_segment(s, X32_FIRST, SECCOMP_RET_KILL_PROCESS, false);
  add_segment(s, SKIPPED, c->profile->default_action, false);
}

/* Two conditions on one argument make every condition of the rule an alternative. */
static bool has_alternatives(const struct zl_seccomp_rule *r)
{
  for (size_t i = 0; i < r->n_args; i++)
    for (size_t j = 0; j < i; j++)
      if (r->args[i].index == r->args[j].index)
        return true;
  return false;
}

static zl_label emit_rule(struct zl_bpf_emitter *e, const struct zl_seccomp_rule *r, zl_label next)
{
  const bool alternatives = has_alternatives(r);
  zl_label yes = zl_bpf_return(e, r->action);

  for (size_t i = r->n_args; i-- > 0;) {
    if (alternatives)
      next = zl_bpf_condition(e, &r->args[i], zl_bpf_return(e, r->action), next);
    else
      yes = zl_bpf_condition(e, &r->args[i], yes, next);
  }
  return alternatives ? next : yes;
}

static zl_label emit_segment(struct compiler *c, const struct segment *s)
{
  zl_label next = zl_bpf_return(&c->e, s->action);

  if (!s->conditional)
    return next;
  for (size_t i = c->n_uses; i-- > 0;)
    if (c->uses[i].number == s->first)
      next = emit_rule(&c->e, &c->profile->rules[c->uses[i].rule], next);
  return next;
}

/* Depth is the logarithm of the number of segments. */
static zl_label emit_tree(struct compiler *c, const struct segment *s, size_t n)
{
  const size_t middle = n / 2;
  zl_label high, low;

  if (n == 1)
    return emit_segment(c, s);
  high = emit_tree(c, s + middle, n - middle);
  low = emit_tree(c, s, middle);
  return zl_bpf_jump(&c->e, BPF_JGE, s[middle].first, high, low);
}

static zl_label emit_arch(struct compiler *c, enum zl_syscall_arch arch)
{
  struct segments s;

  judge(c, arch);
  make_segments(c, arch, &s);
  return zl_bpf_load(&c->e, offsetof(struct seccomp_data, nr), emit_tree(c, s.items, s.n));
}

static void emit_program(struct compiler *c)
{
  static const uint32_t audit[ZL_ARCH_COUNT] = { [ZL_ARCH_X86_64] = AUDIT_ARCH_X86_64,
                                                 [ZL_ARCH_I386] = AUDIT_ARCH_I386,
                                                 [ZL_ARCH_AARCH64] = AUDIT_ARCH_AARCH64 };
  // NOLINTNEXTLINE(misc-redundant-expression): equal on this architecture only
  const bool compat = c->profile->compat32 && ZL_ARCH_NATIVE == ZL_ARCH_X86_64;
  zl_label other = compat ? emit_arch(c, ZL_ARCH_I386) : 0;
  zl_label native = emit_arch(c, ZL_ARCH_NATIVE);
  zl_label refuse = zl_bpf_return(&c->e, SECCOMP_RET_KILL_PROCESS);

  if (compat)
    refuse = zl_bpf_jump(&c->e, BPF_JEQ, audit[ZL_ARCH_I386], other, refuse);
  native = zl_bpf_jump(&c->e, BPF_JEQ, audit[ZL_ARCH_NATIVE], native, refuse);
  (void)zl_bpf_load(&c->e, offsetof(struct seccomp_data, arch), native);
}

bool zl_seccomp_notifies(const struct zl_seccomp_profile *p)
{
  bool found = p->default_action == SECCOMP_RET_USER_NOTIF;

  for (size_t i = 0; i < p->n_rules; i++)
    found = found || p->rules[i].action == SECCOMP_RET_USER_NOTIF;
  return found;
}

int zl_seccomp_compile(const struct zl_seccomp_profile *profile, struct zl_seccomp_filter *ret,
                       struct zl_error *err)
{
  ZL_CLEANUP(compiler_done) struct compiler c = { .profile = profile };
  int r;

  if (profile->n_rules > ZL_MAX_SECCOMP_RULES)
    return zl_fail(err, ZL_E_LIMIT, 0, "system call filter: %zu rules, the limit is %d",
                   profile->n_rules, ZL_MAX_SECCOMP_RULES);
  c.uses = malloc((count_names(profile) + 1) * sizeof(*c.uses));
  if (c.uses == NULL)
    return zl_fail_nomem(err, "system call filter");
  r = zl_bpf_init(&c.e, err);
  if (r < 0)
    return r;
  emit_program(&c);
  r = zl_bpf_finish(&c.e, ret, err);
  if (r < 0)
    return r;
  ret->flags = profile->flags;
  if (zl_seccomp_notifies(profile) ||
      (profile->listener_path != NULL && *profile->listener_path != '\0'))
    ret->flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
  else /* which the kernel refuses without a listener */
    ret->flags &= ~(uint32_t)SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
  return 0;
}

int zl_seccomp_install(const struct zl_seccomp_filter *filter, int *ret_listener,
                       struct zl_error *err)
{
  const struct sock_fprog program = { .len = filter->len, .filter = filter->insns };
  /* There is one thread, and the kernel refuses a listener together with this flag. */
  const uint32_t flags = filter->flags & ~(uint32_t)SECCOMP_FILTER_FLAG_TSYNC;
  long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);

  if (fd < 0)
    return zl_fail_errno(err, "installing the system call filter");
  *ret_listener = (flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) != 0 ? (int)fd : -1;
  return 0;
}

int zl_seccomp_filter_copy(const struct zl_seccomp_filter *filter, struct zl_seccomp_filter *ret,
                           struct zl_error *err)
{
  struct sock_filter *insns = malloc(filter->len * sizeof(*insns));

  if (insns == NULL)
    return zl_fail_nomem(err, "system call filter");
  memcpy(insns, filter->insns, filter->len * sizeof(*insns));
  *ret = *filter;
  ret->insns = insns;
  return 0;
}

void zl_seccomp_filter_done(struct zl_seccomp_filter *filter)
{
  free(filter->insns);
  filter->insns = NULL;
}

int zl_syscall_find(const char *name, size_t len, size_t *hint)
{
  size_t low = 0, high = zl_syscall_count, at = *hint;

  while (low < high) {
    const struct zl_syscall_entry *entry;
    int order;

    if (at < low || at >= high)
      at = low + (high - low) / 2;
    entry = &zl_syscall_table[at];
    order = strncmp(name, entry->name, len);
    if (order == 0 && entry->name[len] != '\0')
      order = -1;
    if (order == 0) {
      *hint = at + 1;
      return (int)at;
    }
    if (order < 0)
      high = at;
    else
      low = at + 1;
    at = zl_syscall_count;
  }
  return -1;
}

int zl_syscall_number(const char *name)
{
  size_t hint = zl_syscall_count;
  int at = zl_syscall_find(name, strlen(name), &hint);

  return at >= 0 ? zl_syscall_table[at].number[ZL_ARCH_NATIVE] : -1;
}
