/* SPDX-License-Identifier: Apache-2.0
 *
 * The built-in profile. Three outcomes: allowed; EPERM for calls that are known and denied; ENOSYS
 * for calls newer than this list, so that programs take their fallback instead of failing.
 * Lists are sorted: the compiler walks them beside its own sorted table.
 */
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "engine/seccomp_private.h"

#define CAP(name) (UINT64_C(1) << (name))
#define DENY      (SECCOMP_RET_ERRNO | EPERM)

/* CLONE_NEWTIME cannot be given to clone(2): its bit is part of the exit signal there. */
#define NAMESPACE_FLAGS                                                                         \
  (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | \
   CLONE_NEWNET)

static const char always[] =
    "_llseek _newselect accept accept4 access adjtimex alarm arch_prctl bind brk cachestat capget "
    "capset chdir chmod chown chown32 clock_adjtime clock_adjtime64 clock_getres "
    "clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64 "
    "close close_range connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 "
    "epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 "
    "execve execveat exit exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate "
    "fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 "
    "fdatasync fgetxattr file_getattr file_setattr flistxattr flock fork fremovexattr fsetxattr "
    "fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futex futex_requeue "
    "futex_time64 futex_wait futex_waitv futex_wake futimesat get_robust_list get_thread_area "
    "getcpu getcwd getdents getdents64 getegid getegid32 geteuid geteuid32 getgid getgid32 "
    "getgroups getgroups32 getitimer getpeername getpgid getpgrp getpid getppid getpriority "
    "getrandom getresgid getresgid32 getresuid getresuid32 getrlimit getrusage getsid getsockname "
    "getsockopt gettid gettimeofday getuid getuid32 getxattr getxattrat inotify_add_watch "
    "inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents "
    "io_pgetevents_time64 io_setup io_submit ioctl ioprio_get ioprio_set ipc kill "
    "landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lchown32 lgetxattr "
    "link linkat listen listmount listxattr listxattrat llistxattr lremovexattr lseek lsetxattr "
    "lsm_get_self_attr lsm_list_modules lsm_set_self_attr lstat lstat64 madvise map_shadow_stack "
    "membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat mlock mlock2 "
    "mlockall mmap mmap2 modify_ldt mprotect mq_getsetattr mq_notify mq_open mq_timedreceive "
    "mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink mremap mseal msgctl msgget "
    "msgrcv msgsnd msync munlock munlockall munmap name_to_handle_at nanosleep newfstatat open "
    "openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free "
    "pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv preadv2 prlimit64 "
    "process_mrelease process_vm_readv process_vm_writev pselect6 pselect6_time64 ptrace pwrite64 "
    "pwritev pwritev2 read readahead readlink readlinkat readv recv recvfrom recvmmsg "
    "recvmmsg_time64 recvmsg remap_file_pages removexattr removexattrat rename renameat renameat2 "
    "restart_syscall rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo "
    "rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo "
    "sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam "
    "sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity "
    "sched_setattr sched_setparam sched_setscheduler sched_yield seccomp select semctl semget "
    "semop semtimedop semtimedop_time64 send sendfile sendfile64 sendmmsg sendmsg sendto "
    "set_robust_list set_thread_area set_tid_address setfsgid setfsgid32 setfsuid setfsuid32 "
    "setgid setgid32 setgroups setgroups32 setitimer setpgid setpriority setregid setregid32 "
    "setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit setsid setsockopt "
    "setuid setuid32 setxattr setxattrat shmat shmctl shmdt shmget shutdown sigaltstack signalfd "
    "signalfd4 sigprocmask sigreturn socket socketcall socketpair splice stat stat64 statfs "
    "statfs64 statmount statx symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill "
    "time timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime "
    "timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime "
    "timerfd_settime64 times tkill truncate truncate64 ugetrlimit umask uname unlink unlinkat "
    "uprobe uretprobe utime utimensat utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid "
    "write writev";

static const char never[] =
    "_sysctl add_key afs_syscall bdflush create_module get_kernel_syms getpmsg io_uring_enter "
    "io_uring_register io_uring_setup kexec_file_load kexec_load keyctl lookup_dcookie "
    "migrate_pages move_pages nfsservctl oldfstat oldlstat oldolduname oldstat olduname putpmsg "
    "query_module request_key security sgetmask ssetmask swapoff swapon sysfs tuxcall uselib "
    "userfaultfd ustat vm86 vm86old vserver";

/* Allowed with any of the capabilities, else EPERM. clone and clone3 are further down. */
static const struct {
  uint64_t caps;
  const char *names;
} by_capability[] = {
  { CAP(CAP_DAC_READ_SEARCH), "open_by_handle_at" },
  { CAP(CAP_SYS_ADMIN),
    "fanotify_init fsconfig fsmount fsopen fspick mount mount_setattr move_mount open_tree "
    "open_tree_attr pivot_root quotactl quotactl_fd setdomainname sethostname setns umount umount2 "
    "unshare" },
  { CAP(CAP_SYS_ADMIN) | CAP(CAP_BPF), "bpf" },
  { CAP(CAP_SYS_ADMIN) | CAP(CAP_PERFMON), "perf_event_open" },
  { CAP(CAP_SYS_ADMIN) | CAP(CAP_SYSLOG), "syslog" },
  { CAP(CAP_SYS_BOOT), "reboot" },
  { CAP(CAP_SYS_CHROOT), "chroot" },
  { CAP(CAP_SYS_MODULE), "delete_module finit_module init_module" },
  { CAP(CAP_SYS_NICE), "get_mempolicy mbind set_mempolicy set_mempolicy_home_node" },
  { CAP(CAP_SYS_PACCT), "acct" },
  { CAP(CAP_SYS_PTRACE), "kcmp pidfd_getfd process_madvise" },
  { CAP(CAP_SYS_RAWIO), "ioperm iopl" },
  { CAP(CAP_SYS_TIME), "clock_settime clock_settime64 settimeofday stime" },
  { CAP(CAP_SYS_TTY_CONFIG), "vhangup" },
};

/* Arguments that are int in the kernel are compared by their low half only: the high half is
 * whatever the program left there. */
#define INT_IS(position, number)                                                                   \
  {                                                                                                \
    .index = (position), .op = ZL_CMP_MASKED_EQ, .value = UINT32_MAX, .value2 = (uint32_t)(number) \
  }

/* Linux, its short-address and uname-2.6 variants, and the question what it is. */
static const struct zl_seccomp_arg personalities[] = { INT_IS(0, 0), INT_IS(0, 0x8),
                                                       INT_IS(0, 0x20000), INT_IS(0, 0x20008),
                                                       INT_IS(0, 0xffffffff) };
static const struct zl_seccomp_arg no_namespaces[] = {
  { .index = 0, .op = ZL_CMP_MASKED_EQ, .value = NAMESPACE_FLAGS, .value2 = 0 }
};
/* Virtual machine sockets have no namespaces: they would reach the host and its other guests. */
static const struct zl_seccomp_arg vsock[] = { INT_IS(0, AF_VSOCK) };
/* Both type into the terminal of whoever is behind it (CVE-2016-2568 and its many sisters). */
static const struct zl_seccomp_arg terminal_input[] = { INT_IS(1, TIOCSTI), INT_IS(1, 0x541c) };

static const struct zl_seccomp_rule for_all[] = {
  { always, SECCOMP_RET_ALLOW, NULL, 0 },
  { never, DENY, NULL, 0 },
  { "personality", SECCOMP_RET_ALLOW, personalities, ZL_COUNT(personalities) },
  { "personality", DENY, NULL, 0 },
  { "socket", SECCOMP_RET_ERRNO | EAFNOSUPPORT, vsock, ZL_COUNT(vsock) },
};

/* clone3 keeps its flags in memory, out of a filter's sight: ENOSYS makes the C library use clone.
 */
static const struct zl_seccomp_rule for_admin[] = {
  { "clone clone3", SECCOMP_RET_ALLOW, NULL, 0 },
};
static const struct zl_seccomp_rule for_others[] = {
  { "clone", SECCOMP_RET_ALLOW, no_namespaces, ZL_COUNT(no_namespaces) },
  { "clone", DENY, NULL, 0 },
  { "ioctl", DENY, terminal_input, ZL_COUNT(terminal_input) },
};

enum {
  MAX_RULES = ZL_COUNT(for_all) + ZL_COUNT(for_others) + ZL_COUNT(by_capability)
};

struct rule_list {
  struct zl_seccomp_rule rules[MAX_RULES];
  size_t n;
};

static void add_rules(struct rule_list *list, const struct zl_seccomp_rule *rules, size_t n)
{
  for (size_t i = 0; i < n; i++)
    list->rules[list->n++] = rules[i];
}

static int compile(uint64_t caps, struct zl_seccomp_filter *ret, struct zl_error *err)
{
  struct rule_list list = { .n = 0 };
  struct zl_seccomp_profile profile = { .default_action = SECCOMP_RET_ERRNO | ENOSYS };

  add_rules(&list, for_all, ZL_COUNT(for_all));
  if ((caps & CAP(CAP_SYS_ADMIN)) != 0)
    add_rules(&list, for_admin, ZL_COUNT(for_admin));
  else
    add_rules(&list, for_others, ZL_COUNT(for_others));
  for (size_t i = 0; i < ZL_COUNT(by_capability); i++) {
    const struct zl_seccomp_rule rule = {
      .names = by_capability[i].names,
      .action = (by_capability[i].caps & caps) != 0 ? SECCOMP_RET_ALLOW : DENY,
    };

    add_rules(&list, &rule, 1);
  }
  profile.rules = list.rules;
  profile.n_rules = list.n;
  return zl_seccomp_compile(&profile, ret, err);
}

/* A program that makes containers one after another mostly asks for the same filter again. */
int zl_seccomp_compile_default(uint64_t caps, struct zl_seccomp_filter *ret, struct zl_error *err)
{
  static struct zl_seccomp_filter last;
  static uint64_t last_caps;

  if (last.insns == NULL || last_caps != caps) {
    struct zl_seccomp_filter fresh;
    int r = compile(caps, &fresh, err);

    if (r < 0)
      return r;
    zl_seccomp_filter_done(&last);
    last = fresh;
    last_caps = caps;
  }
  return zl_seccomp_filter_copy(&last, ret, err);
}
