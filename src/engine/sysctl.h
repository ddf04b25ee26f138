/* SPDX-License-Identifier: Apache-2.0
 *
 * Kernel settings of a container: only those that a namespace of its own keeps apart from the host.
 */
#ifndef ZL_ENGINE_SYSCTL_H
#define ZL_ENGINE_SYSCTL_H

#include <stddef.h>
#include <zlayer/error.h>

struct zl_sysctl {
  const char *key; /* "net.ipv4.ip_forward"; "/" is taken as the separator where it comes first */
  const char *value;
};

/* ZL_E_INVALID unless every key belongs to one of `namespaces` (CLONE_NEW* mask of those that are
 * the container's own) and every value is one plain line (CVE-2022-0811 was a second setting hidden
 * in a value). */
int zl_sysctl_check(const struct zl_sysctl *settings, size_t n, int namespaces,
                    struct zl_error *err);

/* Checks, then writes below `proc_fd`, a procfs mount that the caller has verified; to be called
 * inside the namespaces. Stops at the first failure. */
int zl_sysctl_apply(int proc_fd, const struct zl_sysctl *settings, size_t n, int namespaces,
                    struct zl_error *err);

#endif
