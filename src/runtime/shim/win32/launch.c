/* SPDX-License-Identifier: Apache-2.0
 *
 * Starting a shim: it inherits one end of a pipe as its input and nothing else, and waits there for
 * its container.
 */
#include "base/fd.h"
#include "base/proc.h"
#include "base/strv.h"
#include "base/win32/handle.h"
#include "base/win32/pipe.h"
#include "runtime/shim/control.h"
#include "runtime/shim/shimclient.h"
#include "runtime/shim/win32/environment.h"

/* A container may take minutes to build when its storage is slow. */
const uint64_t zl__shimclient_patience_ns = 300 * ZL_NS_PER_S;

static int spawn(const struct zl_shimclient *client, const char *path, const char *id,
                 const char *extra, int control_fd, struct zl_error *err)
{
  char **env = zl_shim_environment();
  const char *argv[] = { client->program, id, extra, NULL };
  const struct zl_proc_fd fds[] = { { control_fd, 0 } };
  struct zl_proc_options options = { .path = path,
                                     .exec_fd = -1,
                                     .argv = argv,
                                     .envp = (const char *const *)env,
                                     .fds = fds,
                                     .n_fds = ZL_COUNT(fds),
                                     .new_session = true,
                                     .detached = true };
  struct zl_proc proc = { .pidfd = -1 };
  int r = zl_proc_spawn(&options, &proc, err);

  zl_fd_closep(&proc.pidfd);
  zl_strv_free(env);
  return r;
}

static int make_ends(int *ret_ours, int *ret_theirs, struct zl_error *err)
{
  HANDLE ends[2];
  int r = zl_pipe_pair(ends, err);

  if (r < 0)
    return r;
  *ret_ours = zl_handle_to_fd(ends[0], O_RDWR);
  *ret_theirs = zl_handle_to_fd(ends[1], O_RDWR);
  return *ret_ours < 0 || *ret_theirs < 0 ? zl_fail_errno(err, "making a pipe") : 0;
}

int zl_shimclient_prepare(struct zl_shimclient *client, const char *id, const char *extra,
                          int *ret_fd, struct zl_error *err)
{
  zl_autofree char *dir = NULL, *path = NULL;
  zl_autofd ours = -1, theirs = -1;
  int r = zl_node_helper_dir(client->base.rt, &dir, err);

  if (r < 0)
    return r;
  path = zl_asprintf("%s\\%s", dir, client->program);
  if (path == NULL)
    return zl_fail_nomem(err, "path of the shim");
  r = make_ends(&ours, &theirs, err);
  if (r == 0)
    r = spawn(client, path, id, extra, theirs, err);
  if (r < 0)
    return zl_context(r, err, "starting '%s' (set $ZLAYER_HELPER_DIR to where it is)", path);
  *ret_fd = zl_steal_fd(&ours);
  return 0;
}

int zl__shimclient_give(const struct zl_container_plan *plan, struct zl_error *err)
{
  return zl_control_send(plan->prepared_fd, json_pack("{s:s}", "op", "create"), NULL, 0, err);
}
