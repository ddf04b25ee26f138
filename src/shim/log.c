/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/time.h"

enum {
  BATCH_MAX = 16 << 10, /* entries are gathered up to this before a write */
  PREFIX_MAX = 64,
  NAME_TEXT = 32
};

#define LOG_NAME "container.log"

static const char *const stream_names[STREAM_COUNT] = { "stdout", "stderr" };

static int open_file(struct log *log, struct zl_error *err)
{
  struct stat st;

  log->fd = zl_fd_open(log->dir_fd, LOG_NAME, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600);
  if (log->fd < 0) {
    int os_error = -log->fd;

    log->fd = -1;
    return zl_fail(err, ZL_E_SYSTEM, os_error, "opening the log");
  }
  if (fstat(log->fd, &st) < 0)
    return zl_fail_errno(err, "inspecting the log");
  log->size = (uint64_t)st.st_size;
  return 0;
}

int log_open(struct log *log, int container_fd, uint64_t max_bytes, unsigned files,
             struct zl_error *err)
{
  *log = (struct log){ .dir_fd = -1,
                       .fd = -1,
                       .max_bytes = max_bytes,
                       .files = files,
                       .batch = ZL_BUF_INIT(BATCH_MAX + ZL_MAX_LOG_LINE + PREFIX_MAX),
                       .partial = { ZL_BUF_INIT(ZL_MAX_LOG_LINE), ZL_BUF_INIT(ZL_MAX_LOG_LINE) } };
  if (mkdirat(container_fd, "log", 0700) < 0 && errno != EEXIST)
    return zl_fail_errno(err, "making the log directory");
  log->dir_fd = zl_fd_open(container_fd, "log", O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
  if (log->dir_fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -log->dir_fd, "opening the log directory");
  return open_file(log, err);
}

static const char *file_name(unsigned index, char text[NAME_TEXT])
{
  if (index == 0)
    return LOG_NAME;
  (void)snprintf(text, NAME_TEXT, LOG_NAME ".%u", index);
  return text;
}

/* Readers hold a file open across its renaming, so no byte is missed by one that follows. */
static void rotate(struct log *log)
{
  char from[NAME_TEXT], to[NAME_TEXT];

  for (unsigned i = log->files; i > 1; i--)
    (void)renameat(log->dir_fd, file_name(i - 2, from), log->dir_fd, file_name(i - 1, to));
  if (log->files <= 1)
    (void)unlinkat(log->dir_fd, LOG_NAME, 0);
  zl_fd_closep(&log->fd);
  (void)open_file(log, NULL);
}

/* All or nothing: after a short write the file is cut back, so that it never holds half an entry.
 */
static void flush_batch(struct log *log)
{
  int r;

  if (log->batch.len == 0)
    return;
  if (log->fd < 0)
    (void)open_file(log, NULL);
  r = log->fd < 0 ? -EIO : zl_fd_write_full(log->fd, log->batch.data, log->batch.len);
  if (r == 0) {
    log->size += log->batch.len;
  } else {
    log->lost_bytes += log->batch.len;
    if (log->fd >= 0 && ftruncate(log->fd, (off_t)log->size) < 0)
      zl_fd_closep(&log->fd); /* to be opened anew with the next entry */
  }
  zl_buf_clear(&log->batch);
}

static void add_entry(struct log *log, enum stream_id stream, bool whole, const struct zl_buf *head,
                      const char *text, size_t len)
{
  char prefix[PREFIX_MAX], time[ZL_TIME_TEXT];
  size_t head_len = head != NULL ? head->len : 0, total;
  int n = snprintf(prefix, sizeof(prefix), "%s %s %c ", zl_time_format(zl_time_wall(), time),
                   stream_names[stream], whole ? 'F' : 'P');

  total = (size_t)n + head_len + len + 1;
  if (log->batch.len + total > BATCH_MAX)
    flush_batch(log);
  if (log->max_bytes > 0 && log->size + log->batch.len + total > log->max_bytes &&
      log->size + log->batch.len > 0) {
    flush_batch(log);
    rotate(log);
  }
  if (zl_buf_reserve(&log->batch, total, NULL) < 0) {
    log->lost_bytes += head_len + len;
    return;
  }
  (void)zl_buf_append(&log->batch, prefix, (size_t)n, NULL);
  if (head_len > 0)
    (void)zl_buf_append(&log->batch, head->data, head_len, NULL);
  (void)zl_buf_append(&log->batch, text, len, NULL);
  (void)zl_buf_append(&log->batch, "\n", 1, NULL);
}

/* Text without a newline: what fills a line of the maximum length goes out as a partial entry, the
 * rest is kept. */
static void add_text(struct log *log, enum stream_id stream, const char *text, size_t len)
{
  struct zl_buf *partial = &log->partial[stream];

  while (partial->len + len > ZL_MAX_LOG_LINE) {
    size_t room = ZL_MAX_LOG_LINE - partial->len;

    add_entry(log, stream, false, partial, text, room);
    zl_buf_clear(partial);
    text += room;
    len -= room;
  }
  if (zl_buf_append(partial, text, len, NULL) < 0)
    log->lost_bytes += len;
}

static void add_line(struct log *log, enum stream_id stream, const char *text, size_t len)
{
  struct zl_buf *partial = &log->partial[stream];

  if (partial->len + len <= ZL_MAX_LOG_LINE) {
    add_entry(log, stream, true, partial, text, len);
  } else {
    add_text(log, stream, text, len);
    add_entry(log, stream, true, partial, "", 0);
  }
  zl_buf_clear(partial);
}

static void report_loss(struct log *log)
{
  char text[96];
  int n;

  if (log->lost_bytes == 0)
    return;
  n = snprintf(text, sizeof(text), "zlayer: %llu bytes of the log could not be written",
               (unsigned long long)log->lost_bytes);
  log->lost_bytes = 0;
  add_entry(log, STREAM_ERR, true, NULL, text, (size_t)n);
}

void log_write(struct log *log, enum stream_id stream, const char *data, size_t len)
{
  if (log->dir_fd < 0)
    return;
  report_loss(log);
  while (len > 0) {
    const char *newline = memchr(data, '\n', len);
    size_t n = newline != NULL ? (size_t)(newline - data) : len;

    if (newline != NULL)
      add_line(log, stream, data, n++);
    else
      add_text(log, stream, data, n);
    data += n;
    len -= n;
  }
  flush_batch(log);
}

void log_close(struct log *log)
{
  for (int i = 0; i < STREAM_COUNT; i++) {
    if (log->partial[i].len > 0)
      add_entry(log, (enum stream_id)i, false, &log->partial[i], "", 0);
    zl_buf_done(&log->partial[i]);
  }
  flush_batch(log);
  zl_buf_done(&log->batch);
  zl_fd_closep(&log->fd);
  zl_fd_closep(&log->dir_fd);
}
