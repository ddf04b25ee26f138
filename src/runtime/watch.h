/* SPDX-License-Identifier: Apache-2.0
 *
 * Waiting for a change of files in directories. A wait may come back although nothing has changed:
 * whoever waits looks again.
 */
#ifndef ZL_RUNTIME_WATCH_H
#define ZL_RUNTIME_WATCH_H

#include <stdbool.h>
#include <zlayer/error.h>

#include "base/cleanup.h"

struct zl_watch {
  int fd; /* -1: none is needed here */
};
#define ZL_WATCH_INIT \
  {                   \
    .fd = -1          \
  }

/* From the first zl_watch_add on nothing is missed: watch first, then look. */
int zl_watch_open(struct zl_watch *watch, struct zl_error *err);
int zl_watch_add(struct zl_watch *watch, int dir_fd, struct zl_error *err);
void zl_watch_close(struct zl_watch *watch);

/* Blocks until something has changed, so many milliseconds have passed (< 0: no limit), or
 * cancel_fd (-1: none) is readable, which *ret_cancelled tells. */
int zl_watch_wait(struct zl_watch *watch, int cancel_fd, int timeout_ms, bool *ret_cancelled,
                  struct zl_error *err);

#endif
