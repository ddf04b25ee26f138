/* SPDX-License-Identifier: Apache-2.0
 *
 * System call filters: a profile (default action, rules with optional argument conditions) is
 * compiled to classic BPF as a binary tree over ranges of system call numbers. The kernel verifies,
 * translates and precomputes every instruction at installation, so a small program starts faster:
 * a list of Docker's size becomes some 80 instructions instead of a thousand.
 */
#ifndef ZL_ENGINE_SECCOMP_H
#define ZL_ENGINE_SECCOMP_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/cleanup.h"

enum zl_seccomp_op {
  ZL_CMP_NE,
  ZL_CMP_LT,
  ZL_CMP_LE,
  ZL_CMP_EQ,
  ZL_CMP_GE,
  ZL_CMP_GT,
  ZL_CMP_MASKED_EQ /* (argument & value) == value2 */
};

struct zl_seccomp_arg {
  uint8_t index; /* 0..5 */
  uint8_t op;    /* enum zl_seccomp_op */
  uint64_t value, value2;
};

/* Of the rules that name a call, those with conditions come first, in their order; the first whose
 * conditions all hold decides, then the first rule without conditions, then the profile's default.
 * When one argument has two conditions in a rule, each condition of that rule is an alternative of
 * its own (the way runc and crun read the OCI document). */
struct zl_seccomp_rule {
  const char *names; /* separated by one space; those unknown on this architecture are skipped */
  uint32_t action;   /* SECCOMP_RET_* | data */
  const struct zl_seccomp_arg *args;
  size_t n_args;
};

struct zl_seccomp_profile {
  uint32_t default_action; /* SECCOMP_RET_* | data */
  const struct zl_seccomp_rule *rules;
  size_t n_rules;
  bool spares_unknown;       /* calls newer than all named ones do not exist: ENOSYS */
  bool compat32;             /* also filter (instead of kill) the 32-bit calls of an x86_64 */
  uint32_t flags;            /* SECCOMP_FILTER_FLAG_* for installation */
  const char *listener_path; /* unix socket that gets the notify descriptor; NULL: none */
  const char *listener_metadata;
};

struct zl_seccomp_filter {
  struct sock_filter *insns; /* malloc'd */
  unsigned short len;        /* instructions */
  uint32_t flags;
};

/* Compiles; the caller releases the filter with zl_seccomp_filter_done. Calls of a foreign
 * architecture, x32 ones included, kill the process. ZL_E_LIMIT when the program would be longer
 * than the kernel takes. */
int zl_seccomp_compile(const struct zl_seccomp_profile *profile, struct zl_seccomp_filter *ret,
                       struct zl_error *err);

/* The built-in profile for a process whose bounding set is `caps`. As above. Remembers the last
 * one: not for two threads at once. */
int zl_seccomp_compile_default(uint64_t caps, struct zl_seccomp_filter *ret, struct zl_error *err);

/* Whether it asks somebody about system calls (SCMP_ACT_NOTIFY). */
bool zl_seccomp_notifies(const struct zl_seccomp_profile *profile);

/* Installs the filter in the calling thread, which needs no_new_privs or CAP_SYS_ADMIN. With a
 * NOTIFY action or a listenerPath *ret_listener is the notify descriptor (CLOEXEC), otherwise -1.
 */
int zl_seccomp_install(const struct zl_seccomp_filter *filter, int *ret_listener,
                       struct zl_error *err);

int zl_seccomp_filter_copy(const struct zl_seccomp_filter *filter, struct zl_seccomp_filter *ret,
                           struct zl_error *err);
void zl_seccomp_filter_done(struct zl_seccomp_filter *filter);
#define zl_autofilter ZL_CLEANUP(zl_seccomp_filter_done) struct zl_seccomp_filter

/* The number of a system call on this architecture, or -1. */
int zl_syscall_number(const char *name);

#endif
