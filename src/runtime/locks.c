/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/stat.h>
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

static bool has_directory(struct zl_runtime *rt, const char *id)
{
  struct stat st;

  return fstatat(rt->containers_fd, id, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Neither directory nor row: under the lock nobody is about to make them either. */
static bool is_gone(struct zl_runtime *rt, const char *id)
{
  zl_autorecord record = { 0 };

  return !has_directory(rt, id) && zl_record_load(rt, id, &record, NULL) == -ZL_E_NOT_FOUND;
}

/* A container whose row is lost is still its directory's. */
static bool is_same(struct zl_runtime *rt, const struct zl_record *record)
{
  zl_autorecord now = { 0 };
  int r = zl_record_load(rt, record->id, &now, NULL);

  return r == 0 ? now.created_at_ns == record->created_at_ns
                : r == -ZL_E_NOT_FOUND && has_directory(rt, record->id);
}

bool zl_node_try_lock_of(struct zl_runtime *rt, const struct zl_record *record, int *ret_fd)
{
  zl_autofd lock = -1;

  if (!zl_node_try_lock(rt, record->id, &lock))
    return false;
  if (!is_same(rt, record)) {
    /* Taking the lock has made its file anew, after whoever removed the container. */
    if (is_gone(rt, record->id))
      zl_node_forget_lock(rt, record->id);
    return false;
  }
  *ret_fd = zl_steal_fd(&lock);
  return true;
}

bool zl_node_is_locked(struct zl_runtime *rt, const char *id)
{
  return zl_lock_is_held(rt->locks_fd, id);
}

void zl_node_forget_lock(struct zl_runtime *rt, const char *id)
{
  (void)unlinkat(rt->locks_fd, id, 0);
}

bool zl_node_is_stale_lock(struct zl_runtime *rt, const char *id, bool remove)
{
  zl_autofd lock = -1;

  if (zl_lock_acquire_existing(rt->locks_fd, id, &lock, NULL) < 0 || !is_gone(rt, id))
    return false;
  if (remove)
    zl_node_forget_lock(rt, id);
  return true;
}
