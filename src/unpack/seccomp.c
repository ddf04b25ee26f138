/* SPDX-License-Identifier: Apache-2.0
 *
 * The system calls that filling a directory takes, and nothing else. The kernel caches the verdicts
 * that do not depend on arguments, so the length of the list costs nothing per call.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "unpack/sandbox.h"

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#else
#define NATIVE_ARCH 0
#endif
_Static_assert(NATIVE_ARCH != 0, "add this architecture to the system call filter");

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif

static const unsigned allowed[] = {
  /* input, files */
  SYS_read,
  SYS_write,
  SYS_pwrite64,
  SYS_close,
  SYS_openat,
  SYS_openat2,
  SYS_ftruncate,
  SYS_fstat,
  SYS_newfstatat,
  SYS_fstatfs,
  SYS_fcntl,
  SYS_getdents64,
  SYS_lseek,
  /* objects and their attributes */
  SYS_mkdirat,
  SYS_mknodat,
  SYS_symlinkat,
  SYS_linkat,
  SYS_unlinkat,
  SYS_renameat,
  SYS_fchown,
  SYS_fchownat,
  SYS_fchmod,
  SYS_fchmodat,
  SYS_utimensat,
  SYS_fsetxattr,
  /* threads and memory */
  SYS_futex,
  SYS_munmap,
  SYS_mremap,
  SYS_madvise,
  SYS_brk,
  SYS_getrandom,
  SYS_rt_sigprocmask,
  SYS_rt_sigreturn,
  SYS_restart_syscall,
  SYS_set_robust_list,
  SYS_sched_yield,
  SYS_gettid,
  SYS_exit,
  SYS_exit_group,
#ifdef SYS_rseq
  SYS_rseq,
#endif
};

/* Memory may be mapped and changed, but never made executable. */
static const unsigned not_executable[] = { SYS_mmap, SYS_mprotect };

enum {
  MAX_PROGRAM = 8 + ZL_COUNT(allowed) * 2 + ZL_COUNT(not_executable) * 5,
  NR_AT = offsetof(struct seccomp_data, nr),
  ARCH_AT = offsetof(struct seccomp_data, arch),
  PROT_AT = offsetof(struct seccomp_data, args[2])
};

struct program {
  struct sock_filter code[MAX_PROGRAM];
  unsigned short len;
};

static void stmt(struct program *p, unsigned short code, unsigned k)
{
  p->code[p->len++] = (struct sock_filter)BPF_STMT(code, k);
}

static void jump(struct program *p, unsigned short code, unsigned k, unsigned char yes,
                 unsigned char no)
{
  p->code[p->len++] = (struct sock_filter)BPF_JUMP(code, k, yes, no);
}

static void build(struct program *p)
{
  const unsigned kill = SECCOMP_RET_KILL_PROCESS;

  stmt(p, BPF_LD | BPF_W | BPF_ABS, ARCH_AT);
  jump(p, BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCH, 1, 0);
  stmt(p, BPF_RET | BPF_K, kill);
  stmt(p, BPF_LD | BPF_W | BPF_ABS, NR_AT); /* x32 numbers have bit 30 set and match nothing */
  for (size_t i = 0; i < ZL_COUNT(allowed); i++) {
    jump(p, BPF_JMP | BPF_JEQ | BPF_K, allowed[i], 0, 1);
    stmt(p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  }
  for (size_t i = 0; i < ZL_COUNT(not_executable); i++) {
    jump(p, BPF_JMP | BPF_JEQ | BPF_K, not_executable[i], 0, 4);
    stmt(p, BPF_LD | BPF_W | BPF_ABS, PROT_AT); /* low half: both architectures are little-endian */
    jump(p, BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 1, 0);
    stmt(p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    stmt(p, BPF_RET | BPF_K, kill);
  }
  stmt(p, BPF_RET | BPF_K, kill);
}

int zl_sandbox_filter(struct zl_error *err)
{
  struct program program = { .len = 0 };
  struct sock_fprog fprog = { .filter = program.code };
  long r;

#ifdef SANITIZED
  return 0;
#endif
  build(&program);
  fprog.len = program.len;
  r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &fprog);
  if (r > 0)
    return zl_fail(err, ZL_E_INTERNAL, 0, "a thread has a system call filter of its own");
  return r == 0 ? 0 : zl_fail_errno(err, "installing the system call filter");
}
