/* SPDX-License-Identifier: Apache-2.0
 *
 * Prepared containers that wait behind the one whose turn is next: a machine that is warmed by some
 * of them need not prepare another one.
 */
#ifndef ZL_GUEST_SPARES_H
#define ZL_GUEST_SPARES_H

#include <stdbool.h>
#include <stddef.h>
#include <zlayer/error.h>

struct agent;
struct process;

enum {
  MAX_SPARES = 3
};

/* Sets the prepared container aside, so that another one can be prepared. ZL_E_LIMIT. */
int spares_push(struct agent *agent, struct zl_error *err);
/* The one that was set aside last is the container again; false: there is none. */
bool spares_pop(struct agent *agent);

/* Whether it is the first process of one that waits. */
bool spares_own(const struct agent *agent, const struct process *process);

/* Another one's cgroup and the directory of its writable layer have names of their own. *ret_path
 * is the cgroup's, for the caller to free, and unchanged for the first one, as is *scratch_fd (-1:
 * it has none), which else is replaced. */
int spares_keep_apart(const struct agent *agent, char **ret_path, int *scratch_fd,
                      struct zl_error *err);

#endif
