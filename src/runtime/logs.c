/* SPDX-License-Identifier: Apache-2.0
 *
 * zl_logs: what a container printed, and what it goes on printing until it has ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "runtime/logs_file.h"
#include "runtime/node.h"
#include "runtime/watch.h"

enum {
  /* A container without a keeper of its own (fake) ends without a sign on the host. */
  RECHECK_MS = 1000
};

struct follower {
  struct zl_runtime *rt;
  const struct zl_record *record;
  struct zl_log_file *log;
  struct zl_watch *watch;
  int cancel_fd;
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

static int watch(int dir_fd, int log_fd, struct zl_watch *to, struct zl_error *err)
{
  int r = zl_watch_open(to, err);

  if (r == 0)
    r = zl_watch_add(to, dir_fd, err);
  if (r == 0)
    r = zl_watch_add(to, log_fd, err);
  return r < 0 ? zl_context(r, err, "watching the log") : 0;
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
    r = zl_watch_wait(f->watch, f->cancel_fd, RECHECK_MS, &cancelled, err);
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
  zl_autofd dir_fd = -1, log_fd = -1;
  ZL_CLEANUP(zl_watch_close) struct zl_watch changes = ZL_WATCH_INIT;
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
    r = watch(dir_fd, log_fd, &changes, err);
  if (r == 0)
    r = zl_log_file_seek(&log, err);
  if (r == 0 && log.options->follow)
    return follow(&(struct follower){ rt, &record, &log, &changes, log.options->cancel_fd }, err);
  if (r == 0)
    r = zl_log_file_drain(&log, err);
  return r < 0 ? r : 0;
}
