/* SPDX-License-Identifier: Apache-2.0
 *
 * Finding the last lines of a log without reading it from the start.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/limits.h"
#include "runtime/logs_file.h"

enum {
  BLOCK = 64 << 10,
  HEADER = 64 /* time, stream and tag fit in this */
};

struct tail {
  int fd;
  int64_t left; /* lines still to be passed over */
  unsigned streams;
  bool at_end; /* nothing was seen yet: a last line without an end counts too */
};

/* Whether the entry that begins at `start` ends a line of a wanted stream. */
static bool ends_line(struct tail *tail, off_t start)
{
  char header[HEADER];
  struct zl_log_entry entry;
  ssize_t n = pread(tail->fd, header, sizeof(header), start);
  bool first = tail->at_end;

  if (n <= 0 || !zl_log_entry_parse(header, (size_t)n, &entry))
    return false;
  if (tail->streams != 0 && (tail->streams & entry.stream) == 0)
    return false;
  tail->at_end = false;
  return !entry.partial || first;
}

/* Walks the entries of one file from its end. True: *ret is where the wanted lines begin. */
static bool scan_file(struct tail *tail, off_t size, off_t *ret)
{
  zl_autofree char *block = malloc(BLOCK);
  off_t entry_end = size, at = size;

  while (block != NULL && at > 0) {
    size_t want = at < BLOCK ? (size_t)at : BLOCK;
    ssize_t n = pread(tail->fd, block, want, at - (off_t)want);

    if (n != (ssize_t)want)
      break;
    at -= (off_t)want;
    for (size_t i = want; i-- > 0;) {
      off_t start = at + (off_t)i + 1;

      if (block[i] != '\n' || start == entry_end)
        continue;
      if (ends_line(tail, start) && tail->left-- == 0) {
        *ret = entry_end;
        return true;
      }
      entry_end = start;
    }
  }
  if (size > 0 && ends_line(tail, 0) && tail->left-- == 0) {
    *ret = entry_end;
    return true;
  }
  return false;
}

int zl_log_tail(int dir_fd, int64_t lines, unsigned streams, unsigned *ret_file, off_t *ret_offset,
                struct zl_error *err)
{
  struct tail tail = { .fd = -1, .left = lines, .streams = streams, .at_end = true };
  unsigned number = 0;

  for (; number < ZL_MAX_LOG_FILES; number++) {
    char name[ZL_LOG_NAME];
    struct stat st;
    off_t offset = 0;
    zl_autofd fd = zl_fd_open(dir_fd, zl_log_name(number, name), O_RDONLY | O_NOFOLLOW, 0);

    if (fd < 0) {
      fd = -1;
      break;
    }
    if (fstat(fd, &st) < 0)
      return zl_fail_errno(err, "log '%s'", name);
    tail.fd = fd;
    if (scan_file(&tail, st.st_size, &offset)) {
      *ret_file = number;
      *ret_offset = offset;
      return 0;
    }
  }
  *ret_file = number > 0 ? number - 1 : 0;
  *ret_offset = 0;
  return 0;
}
