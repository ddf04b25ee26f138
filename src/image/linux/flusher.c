/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/proc.h"
#include "image/layer_flush.h"

/* In a session of its own: Ctrl-C is for the pull. */
static int start(const char *helper, int layers_fd, int end_fd, struct zl_error *err)
{
  const char *const argv[] = { "zlayer-unpack", "flush", NULL };
  const struct zl_proc_fd fds[] = { { end_fd, 0 }, { layers_fd, 3 } };
  const struct zl_proc_options options = { .path = helper,
                                           .exec_fd = -1,
                                           .argv = argv,
                                           .fds = fds,
                                           .n_fds = 2,
                                           .new_session = true,
                                           .detached = true };
  struct zl_proc proc = { .pidfd = -1 };
  int r = zl_proc_spawn(&options, &proc, err);

  if (r == 0)
    zl_fd_closep(&proc.pidfd);
  return r;
}

void zl_flusher_want(struct zl_flusher *flusher, const char *helper, int layers_fd)
{
  struct zl_error err = { 0 };
  int ends[2];

  if (atomic_flag_test_and_set(&flusher->wanted))
    return;
  if (zl_fd_pipe(ends, &err) < 0) {
    zl_debug("layers will be flushed by the pull itself: %s", err.msg);
    return;
  }
  if (start(helper, layers_fd, ends[0], &err) == 0) {
    flusher->fd = ends[1];
  } else {
    zl_debug("layers will be flushed by the pull itself: %s", err.msg);
    zl_fd_closep(&ends[1]);
  }
  zl_fd_closep(&ends[0]);
}

void zl_flusher_end(struct zl_flusher *flusher, int layers_fd)
{
  struct zl_error err = { 0 };

  if (!atomic_flag_test_and_set(&flusher->wanted))
    return;
  if (flusher->fd >= 0)
    zl_fd_closep(&flusher->fd);
  else if (zl_layers_flush(layers_fd, &err) < 0)
    zl_warning("%s", err.msg);
}
