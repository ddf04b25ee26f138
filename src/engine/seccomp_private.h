/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by the seccomp_*.c files: the table of system calls and the emitter of BPF programs.
 */
#ifndef ZL_ENGINE_SECCOMP_PRIVATE_H
#define ZL_ENGINE_SECCOMP_PRIVATE_H

#include "engine/seccomp.h"

enum zl_syscall_arch {
  ZL_ARCH_X86_64,
  ZL_ARCH_I386,
  ZL_ARCH_AARCH64,
  ZL_ARCH_COUNT
};

#if defined(__x86_64__)
#define ZL_ARCH_NATIVE ZL_ARCH_X86_64
#elif defined(__aarch64__)
#define ZL_ARCH_NATIVE ZL_ARCH_AARCH64
#else
#error "add this architecture's column to tools/gensyscalls"
#endif

enum {
  ZL_SYSCALL_MAX = 512 /* numbers of all columns are below; a test holds the table to it */
};

/* Names in place and no pointers: a table of pointers would have to be relocated, and so copied,
 * in every static-pie process. */
struct zl_syscall_entry {
  char name[30];
  int16_t number[ZL_ARCH_COUNT];
};
extern const struct zl_syscall_entry zl_syscall_table[];
extern const size_t zl_syscall_count;

/* The index of the name in the table, or -1. *hint, where the last search ended, makes walking a
 * sorted list cheap; it starts at 0. */
int zl_syscall_find(const char *name, size_t len, size_t *hint);

/* A program is emitted from its last instruction to its first, because BPF jumps only forward: the
 * target of a jump is then always known. A label counts instructions from the end. */
typedef size_t zl_label;

enum {
  ZL_BPF_RETURNS = 16 /* different actions of one program remembered for sharing */
};

struct zl_bpf_emitter {
  struct sock_filter *code; /* BPF_MAXINSNS, last instruction first */
  size_t n;
  bool overflow; /* more than BPF_MAXINSNS were wanted; the content is then void */
  size_t n_returns;
  zl_label returns[ZL_BPF_RETURNS];
};

int zl_bpf_init(struct zl_bpf_emitter *e, struct zl_error *err);
void zl_bpf_done(struct zl_bpf_emitter *e);
#define zl_autobpf ZL_CLEANUP(zl_bpf_done) struct zl_bpf_emitter

/* "return action"; an earlier one that is near enough is shared. */
zl_label zl_bpf_return(struct zl_bpf_emitter *e, uint32_t action);
/* "if (A op k) goto yes; else goto no;" where op is BPF_JEQ, BPF_JGT, BPF_JGE or BPF_JSET. */
zl_label zl_bpf_jump(struct zl_bpf_emitter *e, unsigned op, uint32_t k, zl_label yes, zl_label no);
/* "A = word at offset; goto next;" */
zl_label zl_bpf_load(struct zl_bpf_emitter *e, size_t offset, zl_label next);
/* "if (condition) goto yes; else goto no;": loads the argument itself. */
zl_label zl_bpf_condition(struct zl_bpf_emitter *e, const struct zl_seccomp_arg *arg, zl_label yes,
                          zl_label no);
/* The program in its order; ZL_E_LIMIT when it is too long. */
int zl_bpf_finish(const struct zl_bpf_emitter *e, struct zl_seccomp_filter *ret,
                  struct zl_error *err);

#endif
