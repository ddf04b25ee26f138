/* SPDX-License-Identifier: Apache-2.0
 *
 * zl_logs: what a container printed, and what it goes on printing until it has ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/path.h"
#include "runtime/logs_file.h"
#include "runtime/node.h"

enum {
  /* A container without a keeper of its own (fake) ends without a sign on the host. */
  RECHECK_MS = 1000
};

struct follower {
  struct zl_runtime *rt;
  const struct zl_record *record;
  struct zl_log_file *log;
  int watch_fd, cancel_fd;
};

/* A removed container has ended. */
static bool has_ended(const struct follower *f)
{
  zl_autorecord now = { 0 };
  struct zl_observation seen;

  if (zl_record_load(f->rt, f->record->id, &now, NULL) == -ZL_E_NOT_FOUND)
    return true;
  return zl_observe(f->rt, f->record, &seen, NULL) == 0 && zl_has_ended(&seen);
}

/* Signs of an end: the exit record is renamed into place, or the keeper's death closes its lock
 * file, or the directory is renamed away. */
static int watch(int dir_fd, int log_fd, int *ret, struct zl_error *err)
{
  zl_autofd fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  char dir[ZL_FD_PATH], log[ZL_FD_PATH];

  if (fd < 0 ||
      inotify_add_watch(fd, zl_path_of_fd(dir_fd, dir),
                        IN_MOVED_TO | IN_CLOSE_WRITE | IN_MOVE_SELF) < 0 ||
      inotify_add_watch(fd, zl_path_of_fd(log_fd, log), IN_MODIFY | IN_CREATE | IN_MOVE) < 0)
    return zl_fail_errno(err, "watching the log");
  *ret = zl_steal_fd(&fd);
  return 0;
}

static int wait_for_more(struct follower *f, bool *ret_cancelled, struct zl_error *err)
{
  struct pollfd fds[] = { { .fd = f->watch_fd, .events = POLLIN },
                          { .fd = f->cancel_fd, .events = POLLIN } };
  char sink[4096];

  if (poll(fds, 2, RECHECK_MS) < 0 && errno != EINTR)
    return zl_fail_errno(err, "waiting for the log");
  *ret_cancelled = fds[1].revents != 0;
  while (read(f->watch_fd, sink, sizeof(sink)) > 0)
    ;
  return 0;
}

static int follow(struct follower *f, struct zl_error *err)
{
  bool cancelled = false;
  int r = 0;

  while (r == 0 && !cancelled) {
    bool ended = has_ended(f); /* asked first: what was written before the end is read below */

    r = zl_log_file_drain(f->log, err);
    if (r != 0 || ended)
      break;
    r = wait_for_more(f, &cancelled, err);
  }
  return r < 0 ? r : 0;
}

static int open_log_dir(int dir_fd, int *ret, struct zl_error *err)
{
  int fd = zl_fd_open(dir_fd, "log", O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);

  if (fd < 0 && fd != -ENOENT)
    return zl_fail(err, ZL_E_SYSTEM, -fd, "opening the log");
  *ret = fd < 0 ? -1 : fd;
  return 0;
}

int zl_logs(struct zl_runtime *rt, const char *id, const struct zl_logs_options *options,
            zl_log_fn fn, void *payload, struct zl_error *err)
{
  static const struct zl_logs_options defaults = { .tail = -1, .cancel_fd = -1 };
  zl_autorecord record = { 0 };
  zl_autofd dir_fd = -1, log_fd = -1, watch_fd = -1;
  ZL_CLEANUP(zl_log_file_done)
  struct zl_log_file log = { .fd = -1,
                             .rest = ZL_BUF_INIT(ZL_MAX_SMALL_FILE),
                             .options = options != NULL ? options : &defaults,
                             .fn = fn,
                             .payload = payload };
  int r = zl_record_find(rt, id, &record, err);

  if (r == 0)
    r = zl_node_container_dir(rt, record.id, &dir_fd, err);
  if (r == 0)
    r = open_log_dir(dir_fd, &log_fd, err);
  if (r < 0 || log_fd < 0)
    return r;
  log.dir_fd = log_fd;
  if (log.options->follow)
    r = watch(dir_fd, log_fd, &watch_fd, err);
  if (r == 0)
    r = zl_log_file_seek(&log, err);
  if (r == 0 && log.options->follow)
    return follow(&(struct follower){ rt, &record, &log, watch_fd, log.options->cancel_fd }, err);
  if (r == 0)
    r = zl_log_file_drain(&log, err);
  return r < 0 ? r : 0;
}
