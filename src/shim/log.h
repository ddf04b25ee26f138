/* SPDX-License-Identifier: Apache-2.0
 *
 * The container's log: both streams in one file, in the text format of the CRI,
 *
 *   2026-11-22T03:04:05.123456789Z stdout F a whole line
 *   2026-11-22T03:04:05.123456789Z stderr P the beginning of a long or unterminated one
 *
 * rotated by size: `container.log` is the current file, `container.log.1` the one before.
 */
#ifndef ZL_SHIM_LOG_H
#define ZL_SHIM_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/buf.h"

enum stream_id {
  STREAM_OUT,
  STREAM_ERR,
  STREAM_COUNT
};

struct log {
  int dir_fd, fd;
  uint64_t size, max_bytes; /* of the current file; 0: no maximum */
  unsigned files;
  struct zl_buf batch;                 /* entries not written yet; empty between calls */
  struct zl_buf partial[STREAM_COUNT]; /* a line whose newline has not come yet */
  uint64_t lost_bytes;                 /* of text, since the disk last failed */
};

/* Makes `log/` in the container directory if needed and opens the file for appending. */
int log_open(struct log *log, int container_fd, uint64_t max_bytes, unsigned files,
             struct zl_error *err);

/* Adds output. Whole lines are in the file on return; the rest waits for its newline. A disk that
 * is full must not stop the workload: what cannot be written is counted, and the log says so as
 * soon as it can. */
void log_write(struct log *log, enum stream_id stream, const char *data, size_t len);

/* Writes unterminated lines (as partial ones) and closes. */
void log_close(struct log *log);

#endif
