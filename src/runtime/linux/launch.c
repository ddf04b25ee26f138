/* SPDX-License-Identifier: Apache-2.0
 *
 * Starting a shim.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/lock.h"
#include "base/proc.h"
#include "base/strv.h"
#include "engine/mount_fd.h"
#include "runtime/linux/control.h"
#include "runtime/linux/linux_private.h"

enum {
  CONTROL_FD = 4 /* docs/shim.md */
};

/* A container may take a minute to build when its storage is slow. */
#define CREATE_PATIENCE (120 * ZL_NS_PER_S)

/* A mount of the shim's file alone, detached and read-only: /proc/<pid>/exe of the shim can then
 * never be opened for writing by what runs in a container (CVE-2019-5736). */
static int open_shim(struct zl_runtime *rt, int *ret, struct zl_error *err)
{
  zl_autofree char *dir = NULL, *path = NULL;
  zl_autofd fd = -1;
  int r = zl_node_helper_dir(rt, &dir, err);

  if (r < 0)
    return r;
  path = zl_asprintf("%s/zlayer-shim", dir);
  if (path == NULL)
    return zl_fail_nomem(err, "path of zlayer-shim");
  r = zl_mount_clone(AT_FDCWD, path, false, &fd, err);
  if (r == 0)
    r = zl_mount_change(fd, false, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, 0, 0, err);
  if (r < 0)
    return zl_context(r, err, "opening '%s' (set $ZLAYER_HELPER_DIR to where it is)", path);
  *ret = zl_steal_fd(&fd);
  return 0;
}

static int get_shim(struct zl_linux_backend *backend, int *ret, struct zl_error *err)
{
  int r = 0;

  (void)pthread_mutex_lock(&backend->lock);
  if (backend->shim_fd < 0)
    r = open_shim(backend->base.rt, &backend->shim_fd, err);
  *ret = backend->shim_fd;
  (void)pthread_mutex_unlock(&backend->lock);
  return r;
}

static int spawn(int shim_fd, const char *id, bool early_netns, int control_fd,
                 struct zl_error *err)
{
  const char *argv[] = { "zlayer-shim", id, early_netns ? "early-netns" : NULL, NULL };
  const struct zl_proc_fd fds[] = { { control_fd, CONTROL_FD } };
  struct zl_proc_options options = { .path = "zlayer-shim",
                                     .exec_fd = shim_fd,
                                     .argv = argv,
                                     .fds = fds,
                                     .n_fds = ZL_COUNT(fds),
                                     .new_session = true,
                                     .detached = true };
  struct zl_proc proc = { .pidfd = -1 };
  int r = zl_proc_spawn(&options, &proc, err);

  zl_fd_closep(&proc.pidfd);
  return r;
}

/* The network namespace is the dearest single thing to make, and most containers need one. */
static bool wants_netns(const struct zl_service *service)
{
  return service->network_mode.kind != ZL_NETWORK_HOST &&
         service->network_mode.kind != ZL_NETWORK_CONTAINER &&
         service->userns_mode != ZL_USERNS_PRIVATE;
}

int zl_linux_prepare(struct zl_backend *backend, const char *id, const struct zl_service *service,
                     int *ret_fd, struct zl_error *err)
{
  zl_autofd ours = -1, theirs = -1;
  int pair[2], shim_fd = -1;
  int r = get_shim((struct zl_linux_backend *)backend, &shim_fd, err);

  if (r < 0)
    return r;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
    return zl_fail_errno(err, "making a socket pair");
  ours = pair[0];
  theirs = pair[1];
  r = spawn(shim_fd, id, wants_netns(service), theirs, err);
  if (r < 0)
    return r;
  *ret_fd = zl_steal_fd(&ours);
  return 0;
}

/* The shim's own error is the caller's; a shim that is just gone has crashed. */
static int await_created(int fd, struct zl_error *err)
{
  zl_autojson *reply = NULL;
  int r = zl_control_receive(fd, zl_time_boot() + CREATE_PATIENCE, -1, &reply, NULL, err);

  if (r == -ZL_E_REMOTE)
    return zl_fail(err, ZL_E_INTERNAL, 0, "the shim ended while it built the container");
  return r;
}

int zl_linux_launch(const struct zl_container_plan *plan, struct zl_error *err)
{
  zl_autofd lock = -1;
  int r = zl_lock_acquire(plan->dir_fd, "lock", ZL_NS_PER_S, &lock, err);

  if (r == 0)
    r = zl_control_send(plan->prepared_fd, json_pack("{s:s}", "op", "create"),
                        (int[]){ plan->dir_fd, lock }, 2, err);
  zl_fd_closep(&lock); /* the shim's now, and nobody else's */
  return r < 0 ? r : await_created(plan->prepared_fd, err);
}
