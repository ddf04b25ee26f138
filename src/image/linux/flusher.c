/* SPDX-License-Identifier: Apache-2.0
 *
 * A helper in a process of its own, which goes on when the pull has ended. Whoever has one holds a
 * shared lock of the directory of layers, by a description that the helper has too.
 */
#include <errno.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/proc.h"
#include "image/layer_flush.h"

/* In a session of its own: Ctrl-C is for the pull. */
static int spawn(const char *helper, int flush_fd, int end_fd, struct zl_error *err)
{
  const char *const argv[] = { "zlayer-unpack", "flush", NULL };
  const struct zl_proc_fd fds[] = { { end_fd, 0 }, { flush_fd, 3 } };
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

/* The end that the helper is told by. */
static int start(const char *helper, int flush_fd, int *ret_fd, struct zl_error *err)
{
  int ends[2], r;

  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
    return zl_fail_errno(err, "a connection to the helper that flushes layers");
  (void)flock(flush_fd, LOCK_SH | LOCK_NB);
  r = spawn(helper, flush_fd, ends[0], err);
  zl_fd_closep(&ends[0]);
  if (r < 0)
    zl_fd_closep(&ends[1]);
  else
    *ret_fd = ends[1];
  return r;
}

/* Told, not only hung up: a copy of the descriptor may live in a fork of this program. */
static bool tell_end(int *fd)
{
  bool told = send(*fd, "e", 1, MSG_NOSIGNAL) == 1;

  zl_fd_closep(fd);
  return told;
}

void zl_flusher_want(struct zl_flusher *flusher, const char *helper, int flush_fd)
{
  struct zl_error err = { 0 };

  if (!atomic_flag_test_and_set(&flusher->wanted) &&
      start(helper, flush_fd, &flusher->fd, &err) < 0)
    zl_debug("layers will be flushed by the pull itself: %s", err.msg);
}

void zl_flusher_end(struct zl_flusher *flusher, int flush_fd)
{
  struct zl_error err = { 0 };

  if (!atomic_flag_test_and_set(&flusher->wanted))
    return;
  if (flusher->fd >= 0 && tell_end(&flusher->fd))
    return;
  if (zl_layers_flush(flush_fd, &err) < 0)
    zl_warning("%s", err.msg);
}

void zl_flusher_rescue(const char *helper, int layers_fd)
{
  zl_autofd fd = zl_layers_open_for_flush(layers_fd);
  struct zl_error err = { 0 };
  int end = -1;

  if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
    return; /* some helper lives */
  if (start(helper, fd, &end, &err) < 0)
    zl_debug("layers stay pending: %s", err.msg);
  else
    (void)tell_end(&end);
}
