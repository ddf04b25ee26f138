/* SPDX-License-Identifier: Apache-2.0
 *
 * Who answers the system calls that a filter notifies of: a program of the host behind a unix
 * socket, which is sent the notify descriptor when the filter is in force.
 */
#ifndef ZL_ENGINE_LISTENER_H
#define ZL_ENGINE_LISTENER_H

#include <sys/types.h>
#include <zlayer/error.h>

#include "engine/seccomp.h"

struct zl_listener {
  int sock;      /* connected; -1: nobody listens */
  char *message; /* the specification's ContainerProcessState; filled by zl_listener_describe */
};

#define ZL_LISTENER_INIT \
  {                      \
    .sock = -1           \
  }

/* Connects, as the runtime on the host. A profile that notifies of nothing may name a listener too,
 * which is sent the descriptor if it is there. ZL_E_INVALID: it notifies, and does not say whom.
 * `state` is the container's OCI state. */
int zl_listener_open(const struct zl_seccomp_profile *profile,
                     const struct zl_seccomp_filter *filter, const char *state,
                     struct zl_listener *ret, struct zl_error *err);

/* What is to be said of the process that will be filtered, whose number on the host is `pid`. 0: it
 * is the caller, and its /proc the host's. `init_pid` is that of the container's first process; 0:
 * it is this one. */
int zl_listener_describe(struct zl_listener *listener, const struct zl_seccomp_profile *profile,
                         const char *state, pid_t pid, pid_t init_pid, struct zl_error *err);

/* zl_seccomp_install for a filter with a listener. A message cannot be sent by the filtered
 * process, whose sendmsg(2) may itself be waiting for an answer: a second process that shares its
 * descriptors does it, and the first one makes no system call until that has been done. */
int zl_listener_install(const struct zl_listener *listener, const struct zl_seccomp_filter *filter,
                        struct zl_error *err);

void zl_listener_done(struct zl_listener *listener);

#endif
