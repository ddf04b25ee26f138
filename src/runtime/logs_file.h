/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading a container's log: files container.log (being written), container.log.1 (older), … in the
 * CRI's format, one entry per line: "TIME stdout|stderr P|F TEXT".
 */
#ifndef ZL_RUNTIME_LOGS_FILE_H
#define ZL_RUNTIME_LOGS_FILE_H

#include <stdbool.h>
#include <sys/types.h>
#include <zlayer/runtime.h>

#include "base/buf.h"

struct zl_log_file {
  int dir_fd; /* borrowed: the directory `log` */
  int fd;     /* the file being read; -1: none yet */
  uint64_t ino;
  struct zl_buf rest; /* the beginning of a line whose end is not written yet */
  const struct zl_logs_options *options;
  zl_log_fn fn;
  void *payload;
};

void zl_log_file_done(struct zl_log_file *log);

/* Positions at the oldest entry, or at the last options->tail lines. Success when there is no log
 * yet. */
int zl_log_file_seek(struct zl_log_file *log, struct zl_error *err);
/* Gives every entry up to the end of the newest file, across rotations. > 0: fn has enough. */
int zl_log_file_drain(struct zl_log_file *log, struct zl_error *err);

/* Understands one line without its newline; false for what is no entry. The text is borrowed. */
bool zl_log_entry_parse(const char *line, size_t len, struct zl_log_entry *ret);

/* Finds where the last `lines` lines of the given streams begin, reading backwards from the end:
 * number of the file and offset in it (logs_tail.c). */
int zl_log_tail(int dir_fd, int64_t lines, unsigned streams, unsigned *ret_file, off_t *ret_offset,
                struct zl_error *err);

enum {
  ZL_LOG_NAME = 32
};
/* "container.log", "container.log.2". Returns `text`. */
const char *zl_log_name(unsigned number, char text[ZL_LOG_NAME]);

#endif
