/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/accel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/time.h"
#include "vmm/accel_guest.h"

enum {
  STAGE_MS = 200 /* an interpreter does the loop in 50 */
};

/* How far the child has come. */
enum stage {
  NOTHING,
  TIMED, /* the loop */
  TOURED /* the instructions that interpreters lack */
};

struct report {
  uint64_t mips;
  uint32_t stage;
  bool stuck; /* and did not come further within its time */
};

/* KVM_RUN may not return, so it runs in a process that can be killed. */
_Noreturn static void child(int kvm_fd, int out)
{
  struct zl_guest guest = { .vm_fd = -1, .vcpu_fd = -1 };
  struct report report = { .stage = TIMED };

  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (!zl__guest_make(&guest, kvm_fd) || !zl__guest_loop(&guest, &report.mips))
    _exit(1);
  (void)zl_fd_write_full(out, &report, sizeof(report));
  if (report.mips < ZL_ACCEL_MIN_MIPS || !zl__guest_tour(&guest))
    _exit(1);
  report.stage = TOURED;
  (void)zl_fd_write_full(out, &report, sizeof(report));
  _exit(0);
}

/* 1: a report has come, 0: the child has ended, -1: it takes too long. */
static int listen_to(int in, struct report *ret)
{
  uint64_t deadline = zl_time_boot() + STAGE_MS * ZL_NS_PER_MS, now;
  struct pollfd poll_fd = { .fd = in, .events = POLLIN };

  while ((now = zl_time_boot()) < deadline) {
    int n = poll(&poll_fd, 1, (int)((deadline - now) / ZL_NS_PER_MS) + 1);

    if (n > 0)
      return zl_fd_read_full(in, ret, sizeof(*ret)) == (ssize_t)sizeof(*ret);
    if (n < 0 && errno != EINTR)
      return 0;
  }
  return -1;
}

static int try_kvm(int kvm_fd, struct report *ret, struct zl_error *err)
{
  zl_autofd in = -1, out = -1;
  int ends[2], r = zl_fd_pipe(ends, err);
  pid_t pid;

  if (r < 0)
    return r;
  in = ends[0];
  out = ends[1];
  pid = fork(); /* checkstyle: allow fork (its user is single-threaded; nothing is executed) */
  if (pid < 0)
    return zl_fail_errno(err, "starting the probe of KVM");
  if (pid == 0)
    child(kvm_fd, out);
  zl_fd_closep(&out);
  r = listen_to(in, ret);
  if (r > 0)
    r = listen_to(in, ret);
  ret->stuck = r < 0;
  (void)kill(pid, SIGKILL);
  while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
    ;
  return 0;
}

static void judge(struct zl_accel *accel, const struct report *report)
{
  accel->mips = report->mips;
  if (report->stage == TOURED && report->mips >= ZL_ACCEL_MIN_MIPS) {
    accel->accel = ZL_VM_KVM;
    (void)snprintf(accel->kvm, sizeof(accel->kvm), "kvm: %llu MIPS",
                   (unsigned long long)report->mips);
  } else if (report->stage == NOTHING && report->stuck) {
    (void)snprintf(accel->kvm, sizeof(accel->kvm), "kvm: present but below 1 MIPS, using tcg");
  } else if (report->stage == NOTHING) {
    (void)snprintf(accel->kvm, sizeof(accel->kvm), "kvm: present but runs no guest, using tcg");
  } else if (report->mips < ZL_ACCEL_MIN_MIPS) {
    (void)snprintf(accel->kvm, sizeof(accel->kvm), "kvm: present but %llu MIPS, using tcg",
                   (unsigned long long)report->mips);
  } else {
    (void)snprintf(accel->kvm, sizeof(accel->kvm),
                   "kvm: present but lacks instructions of a kernel, using tcg");
  }
}

int zl_accel_probe(struct zl_accel *ret, struct zl_error *err)
{
  zl_autofd kvm_fd = zl_fd_open(AT_FDCWD, "/dev/kvm", O_RDWR, 0);
  struct zl_accel accel = { .accel = ZL_VM_TCG };
  struct report report = { .stage = NOTHING };
  int r = zl_tsc_measure(&accel.tsc_khz, err);

  if (r < 0)
    return r;
  if (kvm_fd == -ENOENT || kvm_fd == -ENODEV || kvm_fd == -ENXIO) {
    (void)snprintf(accel.kvm, sizeof(accel.kvm), "no /dev/kvm, using tcg");
  } else if (kvm_fd < 0) {
    (void)snprintf(accel.kvm, sizeof(accel.kvm), "kvm: %s, using tcg", strerrordesc_np(-kvm_fd));
  } else {
    r = try_kvm(kvm_fd, &report, err);
    if (r < 0)
      return r;
    judge(&accel, &report);
  }
  *ret = accel;
  return 0;
}
