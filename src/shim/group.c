/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/group.h"

#include <signal.h>
#include <sys/pidfd.h>

int group_create(struct shim *shim, struct zl_error *err)
{
  (void)shim;
  (void)err;
  return 0;
}

int group_fd(const struct shim *shim)
{
  (void)shim;
  return -1;
}

int group_join(void *shim, const struct zl_child *child, struct zl_error *err)
{
  (void)shim;
  (void)child;
  (void)err;
  return 0;
}

int group_kill(struct shim *shim, struct zl_error *err)
{
  int pidfd = shim->container.init.pidfd;

  if (pidfd >= 0 && pidfd_send_signal(pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
    return zl_fail_errno(err, "killing the container");
  return 0;
}

int group_freeze(struct shim *shim, bool frozen, struct zl_error *err)
{
  (void)shim;
  (void)frozen;
  return zl_fail(err, ZL_E_UNSUPPORTED, 0, "the container has no cgroup");
}

bool group_had_oom(const struct shim *shim)
{
  (void)shim;
  return false;
}

int group_stats(struct shim *shim, json_t **ret, struct zl_error *err)
{
  (void)shim;
  (void)ret;
  return zl_fail(err, ZL_E_UNSUPPORTED, 0, "the container has no cgroup");
}

int group_remove(struct shim *shim, struct zl_error *err)
{
  (void)shim;
  (void)err;
  return 0;
}

int group_wait_empty(struct shim *shim, struct zl_error *err)
{
  (void)shim;
  (void)err;
  return 0;
}
