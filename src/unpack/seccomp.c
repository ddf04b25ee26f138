/* SPDX-License-Identifier: Apache-2.0
 *
 * The system calls that writing an image or filling a directory takes, and nothing else. The kernel
 * caches the verdicts that do not depend on arguments, so the length of the list costs nothing per
 * call.
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

static const unsigned for_directories[] = {
  SYS_openat,
  SYS_openat2,
  SYS_newfstatat,
  SYS_getdents64,
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
};

static const unsigned always[] = {
  SYS_read,
  SYS_write,
  SYS_pwrite64,
  SYS_close,
  SYS_ftruncate,
  SYS_fstat,
  SYS_fstatfs,
  SYS_sync_file_range,
  SYS_fcntl,
  SYS_lseek,
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

/* The C library's malloc wants to know about overcommitment when a thread gives memory back. */
static const unsigned tried[] = { SYS_openat };

/* Memory may be mapped and changed, but never made executable. */
static const unsigned not_executable[] = { SYS_mmap, SYS_mprotect };

enum {
  MAX_PROGRAM =
      8 + (ZL_COUNT(always) + ZL_COUNT(for_directories)) * 2 + ZL_COUNT(not_executable) * 5,
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

static void answer(struct program *p, const unsigned *calls, size_t n, unsigned verdict)
{
  for (size_t i = 0; i < n; i++) {
    jump(p, BPF_JMP | BPF_JEQ | BPF_K, calls[i], 0, 1);
    stmt(p, BPF_RET | BPF_K, verdict);
  }
}

static void build(struct program *p, bool image)
{
  const unsigned kill = SECCOMP_RET_KILL_PROCESS;

  stmt(p, BPF_LD | BPF_W | BPF_ABS, ARCH_AT);
  jump(p, BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCH, 1, 0);
  stmt(p, BPF_RET | BPF_K, kill);
  stmt(p, BPF_LD | BPF_W | BPF_ABS, NR_AT); /* x32 numbers have bit 30 set and match nothing */
  answer(p, always, ZL_COUNT(always), SECCOMP_RET_ALLOW);
  if (image)
    answer(p, tried, ZL_COUNT(tried), SECCOMP_RET_ERRNO | EACCES);
  else
    answer(p, for_directories, ZL_COUNT(for_directories), SECCOMP_RET_ALLOW);
  for (size_t i = 0; i < ZL_COUNT(not_executable); i++) {
    jump(p, BPF_JMP | BPF_JEQ | BPF_K, not_executable[i], 0, 4);
    stmt(p, BPF_LD | BPF_W | BPF_ABS, PROT_AT); /* low half: both architectures are little-endian */
    jump(p, BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 1, 0);
    stmt(p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    stmt(p, BPF_RET | BPF_K, kill);
  }
  stmt(p, BPF_RET | BPF_K, kill);
}

int zl_sandbox_filter(bool image, struct zl_error *err)
{
  struct program program = { .len = 0 };
  struct sock_fprog fprog = { .filter = program.code };
  long r;

#ifdef SANITIZED
  return 0;
#endif
  build(&program, image);
  fprog.len = program.len;
  r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &fprog);
  if (r > 0)
    return zl_fail(err, ZL_E_INTERNAL, 0, "a thread has a system call filter of its own");
  return r == 0 ? 0 : zl_fail_errno(err, "installing the system call filter");
}
