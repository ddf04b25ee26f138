/* SPDX-License-Identifier: Apache-2.0
 *
 * Resource limits of a process.
 */
#ifndef ZL_ENGINE_RLIMIT_H
#define ZL_ENGINE_RLIMIT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <zlayer/error.h>

struct zl_rlimit {
  int resource;        /* RLIMIT_* */
  uint64_t soft, hard; /* UINT64_MAX: unlimited */
};

/* RLIMIT_NOFILE for "RLIMIT_NOFILE"; -1 for an unknown name. */
int zl_rlimit_parse(const char *name);
/* "RLIMIT_NOFILE"; NULL for an unknown number. */
const char *zl_rlimit_name(int resource);

/* Sets the limits of process `pid` (0: this one). The first that the kernel refuses ends it; the
 * error names the limit, the value and the highest hard limit possible. */
int zl_rlimits_apply(pid_t pid, const struct zl_rlimit *limits, size_t n, struct zl_error *err);

#endif
