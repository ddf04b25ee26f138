/* SPDX-License-Identifier: Apache-2.0
 *
 * fake.json: how a fake container's life goes, and the operations that change it. Every access is
 * under the container's own lock file.
 */
#ifndef ZL_RUNTIME_FAKE_COURSE_H
#define ZL_RUNTIME_FAKE_COURSE_H

#include "runtime/node.h"

enum zl_course_status {
  ZL_COURSE_CREATED,
  ZL_COURSE_RUNNING,
  ZL_COURSE_STOPPING
};

struct zl_course {
  enum zl_course_status status;
  bool paused, oom, ignores_term;
  int exit_code;
  uint64_t started_at_ns; /* CLOCK_REALTIME */
  uint64_t ends_at_ns;    /* CLOCK_BOOTTIME; while paused: what is left */
  int dir_fd, lock_fd;    /* -1 unless open */
  bool ended;             /* exit.json is there */
};

/* Locks and reads; a course that has come to its end is recorded as ended on the way.
 * ZL_E_NOT_FOUND: no fake container. Release with zl_course_close. */
int zl_course_open(struct zl_runtime *rt, const char *id, struct zl_course *ret,
                   struct zl_error *err);
void zl_course_close(struct zl_course *course);
#define zl_autocourse ZL_CLEANUP(zl_course_close) struct zl_course

int zl_course_save(const struct zl_course *course, struct zl_error *err);
/* Ends it now. signal > 0: killed by it; oom: for its memory; message: by the runtime. */
int zl_course_end(struct zl_runtime *rt, const char *id, struct zl_course *course, int exit_code,
                  int signal, const char *message, struct zl_error *err);

#endif
