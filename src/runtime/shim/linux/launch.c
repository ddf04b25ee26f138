/* SPDX-License-Identifier: Apache-2.0
 *
 * The program of a shim, and how it is started.
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
#include "runtime/shim/control.h"
#include "runtime/shim/shimclient.h"

enum {
  CONTROL_FD = 4 /* docs/shim.md */
};

/* A container may take a minute to build when its storage is slow. */
const uint64_t zl__shimclient_patience_ns = 120 * ZL_NS_PER_S;

/* A mount of the shim's file alone, detached and read-only: /proc/<pid>/exe of the shim can then
 * never be opened for writing by what runs in a container (CVE-2019-5736). */
static int open_program(struct zl_shimclient *client, int *ret, struct zl_error *err)
{
  zl_autofree char *dir = NULL, *path = NULL;
  zl_autofd fd = -1;
  int r = zl_node_helper_dir(client->base.rt, &dir, err);

  if (r < 0)
    return r;
  path = zl_asprintf("%s/%s", dir, client->program);
  if (path == NULL)
    return zl_fail_nomem(err, "path of the shim");
  r = zl_mount_clone(AT_FDCWD, path, false, &fd, err);
  if (r == 0)
    r = zl_mount_change(fd, false, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, 0, 0, err);
  if (r < 0)
    return zl_context(r, err, "opening '%s' (set $ZLAYER_HELPER_DIR to where it is)", path);
  *ret = zl_steal_fd(&fd);
  return 0;
}

int zl_shimclient_program(struct zl_shimclient *client, int *ret, struct zl_error *err)
{
  int r = 0;

  (void)pthread_mutex_lock(&client->lock);
  if (client->shim_fd < 0)
    r = open_program(client, &client->shim_fd, err);
  if (r == 0)
    *ret = client->shim_fd;
  (void)pthread_mutex_unlock(&client->lock);
  return r;
}

static int spawn(const struct zl_shimclient *client, int shim_fd, const char *id, const char *extra,
                 int control_fd, struct zl_error *err)
{
  const char *argv[] = { client->program, id, extra, NULL };
  const struct zl_proc_fd fds[] = { { control_fd, CONTROL_FD } };
  struct zl_proc_options options = { .path = client->program,
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

int zl_shimclient_prepare(struct zl_shimclient *client, const char *id, const char *extra,
                          int *ret_fd, struct zl_error *err)
{
  zl_autofd ours = -1, theirs = -1;
  int pair[2], shim_fd = -1;
  int r = zl_shimclient_program(client, &shim_fd, err);

  if (r < 0)
    return r;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
    return zl_fail_errno(err, "making a socket pair");
  ours = pair[0];
  theirs = pair[1];
  r = spawn(client, shim_fd, id, extra, theirs, err);
  if (r < 0)
    return r;
  *ret_fd = zl_steal_fd(&ours);
  return 0;
}

int zl__shimclient_give(const struct zl_container_plan *plan, struct zl_error *err)
{
  zl_autofd lock = -1;
  int r = zl_lock_acquire(plan->dir_fd, "lock", ZL_NS_PER_S, &lock, err);

  if (r == 0)
    r = zl_control_send(plan->prepared_fd, json_pack("{s:s}", "op", "create"),
                        (int[]){ plan->dir_fd, lock }, 2, err);
  zl_fd_closep(&lock); /* the shim's now, and nobody else's */
  return r;
}
