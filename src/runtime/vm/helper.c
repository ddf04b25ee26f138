/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/vm/helper.h"

#include <sys/resource.h>
#include <unistd.h>

#include "base/proc.h"
#include "runtime/vm/apart.h"

enum {
  DIR_FD = 3, /* docs/microvm.md */
  REPLY_FD = 4,
  LOCK_FD = 5,
  NICE = 10
};

static int spawn(void *ctx, struct zl_error *err)
{
  struct zl_proc proc = { .pidfd = -1 };
  int r;

  /* A thread has a niceness of its own here, which the child inherits. */
  (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
  r = zl_proc_spawn(ctx, &proc, err);
  zl_fd_closep(&proc.pidfd);
  return r;
}

int zl_vm_helper_start(struct zl_shimclient *client, const char *mode, int dir_fd, int reply_fd,
                       int lock_fd, struct zl_error *err)
{
  const char *argv[] = { client->program, mode, NULL };
  struct zl_proc_fd fds[] = { { dir_fd, DIR_FD }, { lock_fd, LOCK_FD }, { reply_fd, REPLY_FD } };
  struct zl_proc_options options = { .path = client->program,
                                     .argv = argv,
                                     .fds = fds,
                                     .n_fds = reply_fd >= 0 ? 3 : 2,
                                     .new_session = true,
                                     .detached = true };
  int r = zl_shimclient_program(client, &options.exec_fd, err);

  return r < 0 ? r : zl_vm_apart(spawn, &options, err);
}
