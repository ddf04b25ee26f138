/* SPDX-License-Identifier: Apache-2.0
 *
 * How a runtime and the process it builds wait for each other: one socket pair, one message per
 * barrier. The end of the connection is an answer too: the other side is dead, or has executed.
 */
#ifndef ZL_ENGINE_SYNC_H
#define ZL_ENGINE_SYNC_H

#include <stddef.h>
#include <zlayer/error.h>

/* In the order in which they happen. */
enum zl_barrier {
  ZL_BARRIER_MAPPED,   /* runtime: the ids of the user namespace are mapped (only with one) */
  ZL_BARRIER_PREPARED, /* child: what does not depend on its program is built (only when that is to
                          be said later) */
  ZL_BARRIER_AMENDED,  /* runtime: a text with the rest of the configuration comes next */
  ZL_BARRIER_JOINED,   /* runtime: what comes from outside, like the network's link, is in place */
  ZL_BARRIER_MOUNTED,  /* child: hooks may look at the root file system (only with hooks) */
  ZL_BARRIER_HOOKED,   /* runtime: its hooks have run */
  ZL_BARRIER_READY,    /* child: all is built; carries the terminal's descriptors if there is one */
  ZL_BARRIER_START,    /* runtime: execute the workload */
  ZL_BARRIER_FAILED    /* child: an error instead of READY or of executing */
};

/* A pair of SOCK_SEQPACKET sockets, CLOEXEC: [0] for the runtime, [1] for the child. */
int zl_sync_pair(int ends[2], struct zl_error *err);

/* Sends a barrier with a number and up to two descriptors. Never blocks longer than the other side
 * takes to read one message; a dead reader is ZL_E_REMOTE. */
int zl_sync_send(int fd, enum zl_barrier barrier, int value, const int *fds, size_t n_fds,
                 struct zl_error *err);
/* A barrier alone, from the runtime. A dead reader is no failure here: what it said last, which may
 * be why, is read next. Anything else is, or both would wait for each other. */
int zl_sync_tell(int fd, enum zl_barrier barrier, struct zl_error *err);
void zl_sync_send_error(int fd, const struct zl_error *failure);

/* A text from the runtime, announced by a barrier: at most ZL_MAX_AMENDMENT bytes without the NUL.
 * The reader frees *ret. */
int zl_sync_send_text(int fd, enum zl_barrier barrier, const char *text, struct zl_error *err);
int zl_sync_expect_text(int fd, enum zl_barrier expected, char **ret, struct zl_error *err);

/* Blocks for the next message. ZL_BARRIER_FAILED becomes the error it carries; the end of the
 * connection is ZL_E_SYSTEM, any barrier but `expected` ZL_E_REMOTE. `ret_value` may be NULL;
 * *n_fds is capacity in, count out, and may be NULL. */
int zl_sync_expect(int fd, enum zl_barrier expected, int *ret_value, int *fds, size_t *n_fds,
                   struct zl_error *err);

/* An error on its way to another process: a fixed shape, smaller than PIPE_BUF. */
struct zl_sync_failure {
  int code; /* enum zl_code */
  int os_error;
  char text[ZL_ERROR_MSG_MAX];
};
void zl_sync_failure_set(struct zl_sync_failure *record, const struct zl_error *failure);
/* Fills *err, which may be NULL, and returns its negative code. A record of nonsense is
 * ZL_E_INTERNAL with its text. */
int zl_sync_failure_get(const struct zl_sync_failure *record, struct zl_error *err);

/* Blocks until the child has executed (the connection ends: 0) or says why not. */
int zl_sync_await_exec(int fd, struct zl_error *err);

#endif
