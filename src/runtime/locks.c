/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "base/lock.h"
#include "runtime/node.h"

/* Longer than any create or remove takes; a pull happens outside the lock. */
#define LOCK_PATIENCE (60 * ZL_NS_PER_S)

int zl_node_lock(struct zl_runtime *rt, const char *id, int *ret_fd, struct zl_error *err)
{
  int r = zl_lock_acquire(rt->locks_fd, id, LOCK_PATIENCE, ret_fd, err);

  if (r == -ZL_E_TIMEOUT)
    return zl_fail(err, ZL_E_CONFLICT, 0, "another operation on container '%s' does not end", id);
  return r;
}

bool zl_node_try_lock(struct zl_runtime *rt, const char *id, int *ret_fd)
{
  return zl_lock_acquire(rt->locks_fd, id, 0, ret_fd, NULL) == 0;
}

bool zl_node_is_locked(struct zl_runtime *rt, const char *id)
{
  return zl_lock_is_held(rt->locks_fd, id);
}

void zl_node_forget_lock(struct zl_runtime *rt, const char *id)
{
  (void)unlinkat(rt->locks_fd, id, 0);
}
