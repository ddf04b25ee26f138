/* SPDX-License-Identifier: Apache-2.0
 *
 * The numbers are those of the kernel's stable interface; headers of the build may be older than
 * the kernel this runs on.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "unpack/sandbox.h"

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule       445
#define SYS_landlock_restrict_self  446
#endif

enum {
  GET_ABI = 1, /* LANDLOCK_CREATE_RULESET_VERSION */
  RULE_PATH_BENEATH = 1,
  ABI_REFER = 2,
  ABI_TRUNCATE = 3,
  ABI_NET = 4,
  ABI_IOCTL = 5,
  ABI_SCOPE = 6
};

#define FS_WRITE_FILE  (UINT64_C(1) << 1)
#define FS_READ_DIR    (UINT64_C(1) << 3)
#define FS_REMOVE_DIR  (UINT64_C(1) << 4)
#define FS_REMOVE_FILE (UINT64_C(1) << 5)
#define FS_MAKE_CHAR   (UINT64_C(1) << 6)
#define FS_MAKE_DIR    (UINT64_C(1) << 7)
#define FS_MAKE_REG    (UINT64_C(1) << 8)
#define FS_MAKE_FIFO   (UINT64_C(1) << 10)
#define FS_MAKE_BLOCK  (UINT64_C(1) << 11)
#define FS_MAKE_SYM    (UINT64_C(1) << 12)
#define FS_REFER       (UINT64_C(1) << 13)
#define FS_TRUNCATE    (UINT64_C(1) << 14)
#define FS_IOCTL_DEV   (UINT64_C(1) << 15)
#define FS_ALL_ABI_1   ((UINT64_C(1) << 13) - 1)
#define NET_TCP        UINT64_C(3) /* bind, connect */
#define SCOPE_ALL      UINT64_C(3) /* abstract sockets, signals */

struct ruleset {
  uint64_t fs;
  uint64_t net;
  uint64_t scope;
};

struct __attribute__((packed)) beneath {
  uint64_t allowed;
  int32_t parent_fd;
};

/* All that this kernel can forbid. */
static struct ruleset handled_by(long abi)
{
  struct ruleset set = { .fs = FS_ALL_ABI_1 | FS_REFER };

  if (abi >= ABI_TRUNCATE)
    set.fs |= FS_TRUNCATE;
  if (abi >= ABI_NET)
    set.net = NET_TCP;
  if (abi >= ABI_IOCTL)
    set.fs |= FS_IOCTL_DEV;
  if (abi >= ABI_SCOPE)
    set.scope = SCOPE_ALL;
  return set;
}

int zl_sandbox_landlock(const struct zl_sandbox_options *options, struct zl_error *err)
{
  uint64_t wanted = FS_WRITE_FILE | FS_READ_DIR | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_CHAR |
                    FS_MAKE_DIR | FS_MAKE_REG | FS_MAKE_FIFO | FS_MAKE_SYM | FS_REFER |
                    FS_TRUNCATE | (options->devices ? FS_MAKE_BLOCK : 0);
  long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, GET_ABI);
  struct ruleset set = handled_by(abi);
  struct beneath rule = { .allowed = wanted & set.fs, .parent_fd = options->root_fd };
  size_t size = abi >= ABI_SCOPE ? sizeof(set) : abi >= ABI_NET ? 16 : 8;
  zl_autofd fd = -1;

  /* The first version forbids hard links between directories altogether. */
  if (abi < ABI_REFER)
    return 0;
  fd = (int)syscall(SYS_landlock_create_ruleset, &set, size, 0);
  if (fd < 0)
    return zl_fail_errno(err, "making a Landlock rule set");
  if ((!options->image && syscall(SYS_landlock_add_rule, fd, RULE_PATH_BENEATH, &rule, 0) < 0) ||
      syscall(SYS_landlock_restrict_self, fd, 0) < 0)
    return zl_fail_errno(err, "restricting file access with Landlock");
  return 0;
}
