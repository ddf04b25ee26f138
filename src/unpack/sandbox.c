/* SPDX-License-Identifier: Apache-2.0 */
#include "unpack/sandbox.h"

#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

/* A sanitizer reserves terabytes of address space and brings system calls of its own. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

enum {
  IMAGE_METADATA = 1 << 30,
  MAX_MEMORY = 512 << 20, /* a zstd window of 128 MiB, the lists of notes, and some air */
  MAX_FDS = 128           /* removal of a deep tree holds 64 */
};

/* Nothing else that root has is of use for filling a directory. trusted.* attributes would need
 * CAP_SYS_ADMIN; the caller sets those from a list instead. Whiteouts need no CAP_MKNOD. */
static uint64_t wanted_capabilities(const struct zl_sandbox_options *options)
{
  const uint64_t set = UINT64_C(1) << CAP_CHOWN | UINT64_C(1) << CAP_DAC_OVERRIDE |
                       UINT64_C(1) << CAP_FOWNER | UINT64_C(1) << CAP_FSETID |
                       UINT64_C(1) << CAP_SETFCAP;

  if (options->image)
    return 0;
  return options->devices ? set | UINT64_C(1) << CAP_MKNOD : set;
}

static int drop_capabilities(uint64_t keep, struct zl_error *err)
{
  struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
  struct __user_cap_data_struct data[2] = {
    { .effective = (uint32_t)keep, .permitted = (uint32_t)keep },
    { .effective = (uint32_t)(keep >> 32), .permitted = (uint32_t)(keep >> 32) },
  };

  for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
    if (cap > 63 || !(keep & UINT64_C(1) << cap))
      (void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0); /* the set below is what counts */
  (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  if (syscall(SYS_capset, &header, data) < 0)
    return zl_fail_errno(err, "dropping capabilities");
  return 0;
}

static int limit(__rlimit_resource_t what, uint64_t value, struct zl_error *err)
{
  struct rlimit old, lim;

  if (getrlimit(what, &old) < 0)
    return zl_fail_errno(err, "reading a resource limit");
  lim.rlim_max = value < old.rlim_max ? (rlim_t)value : old.rlim_max;
  lim.rlim_cur = lim.rlim_max;
  if (setrlimit(what, &lim) < 0)
    return zl_fail_errno(err, "setting a resource limit");
  return 0;
}

/* An image holds all files of the layer, one beside the other, and their metadata. */
static uint64_t largest_file(const struct zl_sandbox_options *options)
{
  const uint64_t most = INT64_MAX, metadata = IMAGE_METADATA;

  if (!options->image)
    return options->file_size;
  return options->file_size < (most - metadata) / 2 ? options->file_size * 2 + metadata : most;
}

static int limit_resources(uint64_t file_size, struct zl_error *err)
{
  int r = limit(RLIMIT_CORE, 0, err);

  if (r == 0)
    r = limit(RLIMIT_NOFILE, MAX_FDS, err);
  if (r == 0)
    r = limit(RLIMIT_FSIZE, file_size, err);
  if (r == 0 && !SANITIZED)
    r = limit(RLIMIT_AS, MAX_MEMORY, err);
  return r;
}

/* Without CAP_SYS_CHROOT afterwards and without a descriptor of a directory outside, there is no
 * way back out. */
static int enter_root(int root_fd, struct zl_error *err)
{
  if (fchdir(root_fd) < 0 || chroot(".") < 0 || chdir("/") < 0)
    return zl_fail_errno(err, "entering the staging directory");
  return 0;
}

int zl_sandbox_enter(const struct zl_sandbox_options *options, struct zl_error *err)
{
  int r;

  (void)umask(0);
  (void)signal(SIGPIPE, SIG_IGN);
  (void)signal(SIGXFSZ, SIG_IGN);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
    return zl_fail_errno(err, "giving up privileges");
  if (unshare(CLONE_NEWNET | CLONE_NEWIPC) < 0)
    return zl_fail_errno(err, "leaving the network");
  r = enter_root(options->root_fd, err);
  if (r == 0)
    r = zl_sandbox_landlock(options, err);
  if (r == 0)
    r = limit_resources(largest_file(options), err);
  return r < 0 ? r : drop_capabilities(wanted_capabilities(options), err);
}
