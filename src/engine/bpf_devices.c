/* SPDX-License-Identifier: Apache-2.0
 *
 * The device policy as a BPF_PROG_TYPE_CGROUP_DEVICE program: the rules from last to first, the
 * first that fits decides. The kernel asks it with {access << 16 | type, major, minor}.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/devices_policy.h"

enum {
  MAX_PER_RULE = 8, /* type, major, minor, access (2), result (2) */
  MAX_INSNS = ZL_MAX_POLICY * MAX_PER_RULE + 16,
  MAX_ATTACHED = 64, /* the kernel's own maximum for one cgroup */
  R_RESULT = BPF_REG_0,
  R_CONTEXT = BPF_REG_1,
  R_TYPE = BPF_REG_2,
  R_ACCESS = BPF_REG_3,
  R_MAJOR = BPF_REG_4,
  R_MINOR = BPF_REG_5
};

struct program {
  size_t n;
  struct bpf_insn insns[MAX_INSNS];
};

static void emit(struct program *p, unsigned code, unsigned dst, unsigned src, size_t off,
                 int32_t imm)
{
  p->insns[p->n++] = (struct bpf_insn){
    .code = (uint8_t)code,
    .dst_reg = (uint8_t)(dst & 0xf),
    .src_reg = (uint8_t)(src & 0xf),
    .off = (int16_t)off,
    .imm = imm,
  };
}

static void emit_load(struct program *p, unsigned reg, size_t offset)
{
  emit(p, BPF_LDX | BPF_MEM | BPF_W, reg, R_CONTEXT, offset, 0);
}

static void emit_result(struct program *p, bool allow)
{
  emit(p, BPF_ALU64 | BPF_MOV | BPF_K, R_RESULT, 0, 0, allow);
  emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static void emit_start(struct program *p)
{
  emit_load(p, R_TYPE, offsetof(struct bpf_cgroup_dev_ctx, access_type));
  emit(p, BPF_ALU64 | BPF_MOV | BPF_X, R_ACCESS, R_TYPE, 0, 0);
  emit(p, BPF_ALU64 | BPF_AND | BPF_K, R_TYPE, 0, 0, 0xffff);
  emit(p, BPF_ALU64 | BPF_RSH | BPF_K, R_ACCESS, 0, 0, 16);
  emit_load(p, R_MAJOR, offsetof(struct bpf_cgroup_dev_ctx, major));
  emit_load(p, R_MINOR, offsetof(struct bpf_cgroup_dev_ctx, minor));
}

/* "if (reg != value) goto next rule": the distance is filled in when the rule is complete. */
static void emit_unless(struct program *p, unsigned op, unsigned reg, int32_t value)
{
  emit(p, BPF_JMP | BPF_K | op, reg, 0, 0, value);
}

static void emit_rule(struct program *p, const struct zl_device_rule *r)
{
  const size_t start = p->n;
  /* An allowance fails on any bit outside of it, a denial needs one bit inside. */
  const int32_t bits = r->allow ? ~r->access & 7 : r->access;

  if (r->type != 'a')
    emit_unless(p, BPF_JNE, R_TYPE, r->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
  if (r->major != ZL_UNSET)
    emit_unless(p, BPF_JNE, R_MAJOR, (int32_t)r->major);
  if (r->minor != ZL_UNSET)
    emit_unless(p, BPF_JNE, R_MINOR, (int32_t)r->minor);
  if (r->allow && bits != 0) {
    emit_unless(p, BPF_JSET, R_ACCESS, bits);
  } else if (!r->allow && bits != 7) {
    emit(p, BPF_JMP | BPF_K | BPF_JSET, R_ACCESS, 0, 1, bits);
    emit(p, BPF_JMP | BPF_JA, 0, 0, 0, 0);
  }
  emit_result(p, r->allow);
  for (size_t i = start; i < p->n - 2; i++)
    if (p->insns[i].off == 0)
      p->insns[i].off = (int16_t)(p->n - i - 1);
}

static void build(struct program *p, const struct zl_device_policy *policy)
{
  emit_start(p);
  for (size_t i = policy->n; i-- > 0;)
    emit_rule(p, &policy->rules[i]);
  emit_result(p, policy->allow_by_default);
}

static int bpf(enum bpf_cmd cmd, union bpf_attr *attr)
{
  return (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

static int load(const struct program *p)
{
  union bpf_attr attr = {
    .prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
    .insns = (uintptr_t)p->insns,
    .insn_cnt = (uint32_t)p->n,
    .license = (uintptr_t) "Apache-2.0",
  };

  (void)memcpy(attr.prog_name, "zl_devices", sizeof("zl_devices"));
  return bpf(BPF_PROG_LOAD, &attr);
}

static int attach(int cgroup_fd, int prog_fd)
{
  union bpf_attr attr = {
    .target_fd = (uint32_t)cgroup_fd,
    .attach_bpf_fd = (uint32_t)prog_fd,
    .attach_type = BPF_CGROUP_DEVICE,
    .attach_flags = BPF_F_ALLOW_MULTI,
  };

  return bpf(BPF_PROG_ATTACH, &attr);
}

static uint32_t attached(int cgroup_fd, uint32_t ids[MAX_ATTACHED])
{
  union bpf_attr attr = { .query = {
                              .target_fd = (uint32_t)cgroup_fd,
                              .attach_type = BPF_CGROUP_DEVICE,
                              .prog_ids = (uintptr_t)ids,
                              .prog_cnt = MAX_ATTACHED,
                          } };

  return bpf(BPF_PROG_QUERY, &attr) == 0 ? attr.query.prog_cnt : 0;
}

static int detach(int cgroup_fd, uint32_t id)
{
  union bpf_attr by_id = { .prog_id = id };
  zl_autofd fd = bpf(BPF_PROG_GET_FD_BY_ID, &by_id);
  union bpf_attr attr = {
    .target_fd = (uint32_t)cgroup_fd,
    .attach_bpf_fd = (uint32_t)fd,
    .attach_type = BPF_CGROUP_DEVICE,
  };

  return fd < 0 ? -1 : bpf(BPF_PROG_DETACH, &attr);
}

/* The new program joins before the old ones go, and all attached ones must agree: at no moment is
 * more allowed than by one of them. */
int zl_bpf_devices_attach(int cgroup_fd, const struct zl_device_policy *policy,
                          struct zl_error *err)
{
  uint32_t ids[MAX_ATTACHED] = { 0 };
  const uint32_t n = attached(cgroup_fd, ids);
  zl_autofree struct program *p = NULL;
  zl_autofd fd = -1;

  if (policy != NULL && !zl_device_policy_is_open(policy)) {
    p = calloc(1, sizeof(*p));
    if (p == NULL)
      return zl_fail_nomem(err, "device rules");
    build(p, policy);
    fd = load(p);
    if (fd < 0)
      return zl_fail_errno(err, "loading the device rules as a BPF program");
    if (attach(cgroup_fd, fd) < 0)
      return zl_fail_errno(err, "attaching the device rules to the cgroup");
  }
  for (uint32_t i = 0; i < n && i < MAX_ATTACHED; i++)
    if (detach(cgroup_fd, ids[i]) < 0)
      return zl_fail_errno(err, "detaching the former device rules");
  return 0;
}
