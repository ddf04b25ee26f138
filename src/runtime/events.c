/* SPDX-License-Identifier: Apache-2.0
 *
 * ROOT/events.log: one JSON object per line, appended with one write each by everybody (library and
 * shims). Bounded: past a size the file becomes events.log.1, replacing the one before.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/lock.h"
#include "runtime/node.h"
#include "runtime/watch.h"

#define FILE_NAME "events.log"
#define OLD_NAME  "events.log.1"
#define LOCK_NAME ".events" /* of the rotation; no container id begins with a dot */

/* Several may see the size at once; only one renames, and only if it still is that large. */
static void rotate(struct zl_runtime *rt)
{
  zl_autofd lock = -1;
  struct stat st;

  if (zl_lock_acquire(rt->locks_fd, LOCK_NAME, 0, &lock, NULL) == 0 &&
      fstatat(rt->root_fd, FILE_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
      st.st_size >= ZL_MAX_EVENTS_FILE)
    (void)renameat(rt->root_fd, FILE_NAME, rt->root_fd, OLD_NAME);
}

void zl_event_emit(struct zl_runtime *rt, const char *type, const char *action, const char *id,
                   const char *detail)
{
  char when[ZL_TIME_TEXT];
  zl_autobuf line = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  zl_autofree char *text = NULL;
  zl_autojson *json =
      json_pack("{s:s, s:s, s:s, s:s, s:s*}", "time", zl_time_format(zl_time_wall(), when), "type",
                type, "action", action, "id", id, "detail", detail);
  zl_autofd fd =
      zl_fd_open(rt->root_fd, FILE_NAME, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600);

  if (fd < 0 || json == NULL || zl_json_render(json, &text, NULL) < 0 ||
      zl_buf_printf(&line, NULL, "%s\n", text) < 0) {
    fd = fd < 0 ? -1 : fd;
    return;
  }
  if (zl_fd_write_full(fd, line.data, line.len) == 0 &&
      lseek(fd, 0, SEEK_END) >= ZL_MAX_EVENTS_FILE)
    rotate(rt);
}

struct reader {
  struct zl_runtime *rt;
  uint64_t since_ns;
  zl_event_fn fn;
  void *payload;
  int fd;
  struct zl_buf rest; /* the beginning of a line that is not complete yet */
};

static void reader_done(struct reader *reader)
{
  zl_fd_closep(&reader->fd);
  zl_buf_done(&reader->rest);
}

/* Lines that are no events (a torn write of a full disk) are skipped. > 0: the caller has enough.
 */
static int give_line(struct reader *reader, const char *line)
{
  zl_autojson *json = NULL;
  const char *when = NULL;
  uint64_t time_ns = 0;

  if (zl_json_parse(line, strlen(line), "event", &json, NULL) < 0 ||
      zl_json_get_string(json, "event", "time", &when, NULL) < 0 || when == NULL ||
      zl_time_parse(when, &time_ns, NULL) < 0 || time_ns < reader->since_ns)
    return 0;
  return reader->fn(reader->payload, line) != 0 ? 1 : 0;
}

static int give_lines(struct reader *reader)
{
  size_t used = 0;
  int r = 0;

  while (r == 0) {
    char *start = reader->rest.data != NULL ? reader->rest.data + used : NULL;
    char *end = start != NULL ? memchr(start, '\n', reader->rest.len - used) : NULL;

    if (end == NULL)
      break;
    *end = '\0';
    r = give_line(reader, start);
    used += (size_t)(end - start) + 1;
  }
  zl_buf_consume(&reader->rest, used);
  return r;
}

/* To the end of the open file. > 0: the caller has enough. */
static int drain(struct reader *reader, struct zl_error *err)
{
  char chunk[8192];

  for (;;) {
    ssize_t n = reader->fd >= 0 ? zl_fd_read_full(reader->fd, chunk, sizeof(chunk)) : 0;
    int r;

    if (n < 0)
      return zl_fail(err, ZL_E_SYSTEM, (int)-n, "reading " FILE_NAME);
    if (n == 0)
      return 0;
    if (zl_buf_append(&reader->rest, chunk, (size_t)n, NULL) < 0)
      zl_buf_clear(&reader->rest); /* longer than any event */
    r = give_lines(reader);
    if (r != 0)
      return r;
  }
}

static void reopen(struct reader *reader, const char *name)
{
  zl_fd_closep(&reader->fd);
  reader->fd = zl_fd_open(reader->rt->root_fd, name, O_RDONLY | O_NOFOLLOW, 0);
  if (reader->fd < 0)
    reader->fd = -1;
}

static bool was_replaced(const struct reader *reader)
{
  struct stat ours, named;

  if (fstatat(reader->rt->root_fd, FILE_NAME, &named, AT_SYMLINK_NOFOLLOW) < 0)
    return false;
  return reader->fd < 0 || (fstat(reader->fd, &ours) == 0 && ours.st_ino != named.st_ino);
}

static int read_all(struct reader *reader, struct zl_error *err)
{
  int r = drain(reader, err);

  if (r == 0 && was_replaced(reader)) {
    r = drain(reader, err); /* what came between our last read and the rename */
    reopen(reader, FILE_NAME);
    if (r == 0)
      r = drain(reader, err);
  }
  return r;
}

static int follow(struct reader *reader, struct zl_watch *watch, int cancel_fd,
                  struct zl_error *err)
{
  bool cancelled = false;
  int r = 0;

  while (r == 0 && !cancelled) {
    r = read_all(reader, err);
    if (r == 0)
      r = zl_watch_wait(watch, cancel_fd, -1, &cancelled, err);
  }
  return r < 0 ? r : 0;
}

int zl_events(struct zl_runtime *rt, uint64_t since_ns, bool follow_on, int cancel_fd,
              zl_event_fn fn, void *payload, struct zl_error *err)
{
  ZL_CLEANUP(reader_done)
  struct reader reader = { .rt = rt,
                           .since_ns = since_ns,
                           .fn = fn,
                           .payload = payload,
                           .fd = -1,
                           .rest = ZL_BUF_INIT(ZL_MAX_SMALL_FILE) };
  ZL_CLEANUP(zl_watch_close) struct zl_watch watch = ZL_WATCH_INIT;
  int r = zl_watch_open(&watch, err);

  /* The watch comes first, so that nothing is missed between reading and watching. */
  if (r == 0)
    r = zl_watch_add(&watch, rt->root_fd, err);
  if (r < 0)
    return zl_context(r, err, "watching " FILE_NAME);
  reopen(&reader, OLD_NAME);
  r = drain(&reader, err);
  zl_buf_clear(&reader.rest);
  reopen(&reader, FILE_NAME);
  if (r == 0)
    r = read_all(&reader, err);
  if (r == 0 && follow_on)
    r = follow(&reader, &watch, cancel_fd, err);
  return r < 0 ? r : 0;
}
