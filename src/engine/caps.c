/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/caps.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

static const char cap_names[][24] = {
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_DAC_READ_SEARCH",
  "CAP_FOWNER",
  "CAP_FSETID",
  "CAP_KILL",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SETPCAP",
  "CAP_LINUX_IMMUTABLE",
  "CAP_NET_BIND_SERVICE",
  "CAP_NET_BROADCAST",
  "CAP_NET_ADMIN",
  "CAP_NET_RAW",
  "CAP_IPC_LOCK",
  "CAP_IPC_OWNER",
  "CAP_SYS_MODULE",
  "CAP_SYS_RAWIO",
  "CAP_SYS_CHROOT",
  "CAP_SYS_PTRACE",
  "CAP_SYS_PACCT",
  "CAP_SYS_ADMIN",
  "CAP_SYS_BOOT",
  "CAP_SYS_NICE",
  "CAP_SYS_RESOURCE",
  "CAP_SYS_TIME",
  "CAP_SYS_TTY_CONFIG",
  "CAP_MKNOD",
  "CAP_LEASE",
  "CAP_AUDIT_WRITE",
  "CAP_AUDIT_CONTROL",
  "CAP_SETFCAP",
  "CAP_MAC_OVERRIDE",
  "CAP_MAC_ADMIN",
  "CAP_SYSLOG",
  "CAP_WAKE_ALARM",
  "CAP_BLOCK_SUSPEND",
  "CAP_AUDIT_READ",
  "CAP_PERFMON",
  "CAP_BPF",
  "CAP_CHECKPOINT_RESTORE",
};

enum {
  CAP_BITS = 64
};

int zl_cap_parse(const char *name)
{
  for (size_t i = 0; i < ZL_COUNT(cap_names); i++)
    if (strcmp(cap_names[i], name) == 0)
      return (int)i;
  return -1;
}

const char *zl_cap_name(unsigned cap)
{
  return cap < ZL_COUNT(cap_names) ? cap_names[cap] : NULL;
}

/* The bounding set has a system call per capability; the kernel's last one is where it says EINVAL.
 */
static uint64_t read_bounding_set(void)
{
  uint64_t mask = 0;

  for (int cap = 0; cap < CAP_BITS; cap++) {
    int held = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);

    if (held < 0)
      break;
    mask |= (uint64_t)held << cap;
  }
  return mask;
}

/* 0: not read yet. A child is born with its parent's set, and with what its parent knows of it;
 * what it drops itself is not noted, since its memory may be its parent's. */
static _Atomic uint64_t known_bounding;

void zl_caps_learn(void)
{
  if (known_bounding == 0)
    known_bounding = read_bounding_set();
}

static uint64_t bounding_set(void)
{
  zl_caps_learn();
  return known_bounding;
}

static int permitted_set(uint64_t *ret, struct zl_error *err)
{
  struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
  struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

  if (syscall(SYS_capget, &head, data) < 0)
    return zl_fail_errno(err, "reading the capabilities");
  *ret = (uint64_t)data[1].permitted << 32 | data[0].permitted;
  return 0;
}

int zl_caps_available(uint64_t *ret, struct zl_error *err)
{
  uint64_t permitted = 0;
  int r = permitted_set(&permitted, err);

  if (r == 0)
    *ret = permitted & bounding_set();
  return r;
}

int zl_caps_limit(const struct zl_caps *caps, struct zl_error *err)
{
  const uint64_t surplus = bounding_set() & ~caps->bounding;

  for (int cap = 0; cap < CAP_BITS; cap++)
    if ((surplus >> cap & 1) != 0 && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
      return zl_fail_errno(err, "dropping capability %d from the bounding set", cap);
  if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
    return zl_fail_errno(err, "keeping the capabilities over the change of user");
  return 0;
}

static int set_all(uint64_t permitted, uint64_t effective, uint64_t inheritable,
                   struct zl_error *err)
{
  struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
  const struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
    { (uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable },
    { (uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32) },
  };

  if (syscall(SYS_capset, &head, data) < 0)
    return zl_fail_errno(err, "setting the capabilities");
  return 0;
}

int zl_caps_apply(const struct zl_caps *caps, struct zl_error *err)
{
  uint64_t held = 0, permitted, inheritable, ambient;
  int r = permitted_set(&held, err);

  if (r < 0)
    return r;
  permitted = caps->permitted & held;
  /* The kernel takes no more. */
  inheritable = caps->inheritable & held & bounding_set() & caps->bounding;
  ambient = caps->ambient & inheritable & permitted;
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
    return zl_fail_errno(err, "clearing the ambient capabilities");
  r = set_all(permitted, caps->effective & permitted, inheritable, err);
  for (int cap = 0; r == 0 && cap < CAP_BITS; cap++)
    if ((ambient >> cap & 1) != 0 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
      r = zl_fail_errno(err, "raising ambient capability %d", cap);
  return r;
}
