/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/logs_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/time.h"
#include "runtime/runtime.h"

const char *zl_log_name(unsigned number, char text[ZL_LOG_NAME])
{
  if (number == 0)
    (void)snprintf(text, ZL_LOG_NAME, "container.log");
  else
    (void)snprintf(text, ZL_LOG_NAME, "container.log.%u", number);
  return text;
}

void zl_log_file_done(struct zl_log_file *log)
{
  zl_fd_closep(&log->fd);
  zl_buf_done(&log->rest);
}

/* The next word up to a blank, or NULL. */
static const char *next_word(const char **at, const char *end, size_t *ret_len)
{
  const char *start = *at, *blank = memchr(start, ' ', (size_t)(end - start));

  if (blank == NULL)
    return NULL;
  *ret_len = (size_t)(blank - start);
  *at = blank + 1;
  return start;
}

bool zl_log_entry_parse(const char *line, size_t len, struct zl_log_entry *ret)
{
  const char *at = line, *end = line + len, *when, *stream, *tag;
  size_t when_len = 0, stream_len = 0, tag_len = 0;
  char text[ZL_TIME_TEXT];

  when = next_word(&at, end, &when_len);
  stream = when != NULL ? next_word(&at, end, &stream_len) : NULL;
  tag = stream != NULL ? next_word(&at, end, &tag_len) : NULL;
  if (tag == NULL || when_len >= sizeof(text) || stream_len != 6 || tag_len != 1)
    return false;
  memcpy(text, when, when_len);
  text[when_len] = '\0';
  if (zl_time_parse(text, &ret->time_ns, NULL) < 0)
    return false;
  ret->stream = memcmp(stream, "stderr", 6) == 0 ? ZL_STDERR : ZL_STDOUT;
  ret->partial = *tag == 'P';
  ret->text = at;
  ret->len = (size_t)(end - at);
  return true;
}

static int open_number(struct zl_log_file *log, unsigned number, off_t offset, struct zl_error *err)
{
  char name[ZL_LOG_NAME];
  struct stat st;
  int fd = zl_fd_open(log->dir_fd, zl_log_name(number, name), O_RDONLY | O_NOFOLLOW, 0);

  if (fd == -ENOENT)
    return 0;
  if (fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -fd, "opening log '%s'", name);
  zl_fd_closep(&log->fd);
  log->fd = fd;
  if (fstat(fd, &st) < 0 || lseek(fd, offset, SEEK_SET) < 0)
    return zl_fail_errno(err, "log '%s'", name);
  log->ino = st.st_ino;
  return 0;
}

/* One past the number of the oldest file; 0: there is none. */
static unsigned count_files(const struct zl_log_file *log)
{
  char name[ZL_LOG_NAME];
  struct stat st;
  unsigned n = 0;

  while (n < ZL_MAX_LOG_FILES &&
         fstatat(log->dir_fd, zl_log_name(n, name), &st, AT_SYMLINK_NOFOLLOW) == 0)
    n++;
  return n;
}

int zl_log_file_seek(struct zl_log_file *log, struct zl_error *err)
{
  unsigned number = count_files(log);
  off_t offset = 0;
  int r = 0;

  if (number == 0)
    return 0;
  number--;
  if (log->options->tail >= 0)
    r = zl_log_tail(log->dir_fd, log->options->tail, log->options->streams, &number, &offset, err);
  return r < 0 ? r : open_number(log, number, offset, err);
}

static bool is_wanted(const struct zl_logs_options *options, const struct zl_log_entry *entry)
{
  return (options->streams == 0 || (options->streams & entry->stream) != 0) &&
         entry->time_ns >= options->since_ns &&
         (options->until_ns == 0 || entry->time_ns <= options->until_ns);
}

static int give_lines(struct zl_log_file *log)
{
  size_t used = 0;
  int r = 0;

  while (r == 0 && used < log->rest.len) {
    const char *start = log->rest.data + used;
    const char *end = memchr(start, '\n', log->rest.len - used);
    struct zl_log_entry entry;

    if (end == NULL)
      break;
    if (zl_log_entry_parse(start, (size_t)(end - start), &entry) && is_wanted(log->options, &entry))
      r = log->fn(log->payload, &entry) != 0 ? 1 : 0;
    used += (size_t)(end - start) + 1;
  }
  zl_buf_consume(&log->rest, used);
  return r;
}

/* To the end of the open file. */
static int drain_file(struct zl_log_file *log, struct zl_error *err)
{
  for (;;) {
    ssize_t n;
    int r = zl_buf_reserve(&log->rest, 16384, err);

    if (r < 0)
      return zl_context(r, err, "a line of the log");
    n = read(log->fd, log->rest.data + log->rest.len, 16384);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return zl_fail_errno(err, "reading the log");
    if (n == 0)
      return 0;
    log->rest.len += (size_t)n;
    r = give_lines(log);
    if (r != 0)
      return r;
  }
}

/* The number that the open file has now; ZL_MAX_LOG_FILES: it has been rotated out. */
static unsigned current_number(const struct zl_log_file *log)
{
  for (unsigned i = 0; i < ZL_MAX_LOG_FILES; i++) {
    char name[ZL_LOG_NAME];
    struct stat st;

    if (fstatat(log->dir_fd, zl_log_name(i, name), &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        st.st_ino == log->ino)
      return i;
  }
  return ZL_MAX_LOG_FILES;
}

/* Opens the file after the one just read to its end. 0: there is none. */
static int advance(struct zl_log_file *log, struct zl_error *err)
{
  unsigned number = log->fd < 0 ? ZL_MAX_LOG_FILES : current_number(log);
  unsigned files = count_files(log);
  int r;

  if (number == 0 || files == 0)
    return 0;
  if (log->fd >= 0) {
    r = drain_file(log, err); /* what was written between our last read and the rename */
    if (r != 0)
      return r < 0 ? r : 2;
  }
  zl_buf_clear(&log->rest);
  number = number > files ? files : number;
  r = open_number(log, number - 1, 0, err);
  return r < 0 ? r : 1;
}

int zl_log_file_drain(struct zl_log_file *log, struct zl_error *err)
{
  for (;;) {
    int r = log->fd >= 0 ? drain_file(log, err) : 0;

    if (r == 0)
      r = advance(log, err);
    else
      return r;
    if (r != 1)
      return r == 2 ? 1 : r;
  }
}
