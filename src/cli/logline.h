/* SPDX-License-Identifier: Apache-2.0
 *
 * Log entries on their way to standard output and standard error.
 */
#ifndef ZL_CLI_LOGLINE_H
#define ZL_CLI_LOGLINE_H

#include "cli/cli.h"

struct zl_log_writer {
  bool json, timestamps;
  bool flush;            /* after each entry: somebody is watching */
  const char *prefix;    /* in front of each line; NULL: none */
  bool open_line[3];     /* by stream: the last entry was partial */
  struct zl_buf bufs[3]; /* by stream; [ZL_STDOUT] and [ZL_STDERR] */
  struct zl_error *err;
  int result; /* 0, or the failure that ended it */
};

void zl_log_writer_init(struct zl_log_writer *writer, struct zl_error *err);
/* Writes what is buffered. Returns the first failure, also an earlier one. */
int zl_log_writer_finish(struct zl_log_writer *writer);
/* A zl_log_fn; `payload` is the writer. Ends the call after a failure. */
int zl_log_writer_put(void *payload, const struct zl_log_entry *entry);

#endif
