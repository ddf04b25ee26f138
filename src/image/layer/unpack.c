/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/proc.h"
#include "image/layer/unpack_report.h"

struct zl_unpack {
  struct zl_proc proc;
  int input;   /* -1: ended */
  int report;  /* -1: read */
  int staging; /* for what only this side may do */
};

enum {
  NUMBER_TEXT = 24
};

static uint64_t or_default(uint64_t value, uint64_t fallback)
{
  return value != 0 ? value : fallback;
}

static int spawn(const struct zl_unpack_options *o, int input, int report, struct zl_proc *ret,
                 struct zl_error *err)
{
  char bytes[NUMBER_TEXT], entries[NUMBER_TEXT], reserve[NUMBER_TEXT];
  const char *argv[] = { "zlayer-unpack",
                         zl_compression_name(o->compression),
                         o->diff_alg == ZL_SHA512 ? "sha512" : "sha256",
                         bytes,
                         entries,
                         reserve,
                         o->devices ? "1" : "0",
                         NULL };
  const struct zl_proc_fd fds[] = { { input, 0 }, { o->staging_fd, 3 }, { report, 4 } };
  struct zl_proc_options spawn_options = {
    .path = o->helper, .exec_fd = -1, .argv = argv, .fds = fds, .n_fds = ZL_COUNT(fds)
  };

  (void)snprintf(bytes, sizeof(bytes), "%llu",
                 (unsigned long long)or_default(o->max_bytes, ZL_MAX_LAYER_BYTES));
  (void)snprintf(entries, sizeof(entries), "%llu",
                 (unsigned long long)or_default(o->max_entries, ZL_MAX_LAYER_ENTRIES));
  (void)snprintf(reserve, sizeof(reserve), "%llu",
                 (unsigned long long)or_default(o->reserve_bytes, ZL_LAYER_RESERVE));
  return zl_proc_spawn(&spawn_options, ret, err);
}

/* Input goes through a socket and not a pipe: writing to a dead child must not raise SIGPIPE in
 * the program that uses the library. */
int zl_unpack_start(const struct zl_unpack_options *options, struct zl_unpack **ret,
                    struct zl_error *err)
{
  ZL_CLEANUP(zl_unpack_freep) struct zl_unpack *u = calloc(1, sizeof(*u));
  int pair[2], ends[2];
  int r;

  if (u == NULL)
    return zl_fail_nomem(err, "unpacking a layer");
  u->input = u->report = u->staging = u->proc.pidfd = -1;
  u->staging = zl_fd_copy(options->staging_fd);
  if (u->staging < 0) {
    r = u->staging;
    u->staging = -1;
    return zl_fail(err, ZL_E_SYSTEM, -r, "copying the staging descriptor");
  }
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
    return zl_fail_errno(err, "making a socket pair");
  u->input = pair[0];
  zl_autofd child_input = pair[1];

  r = zl_fd_pipe(ends, err);
  if (r < 0)
    return r;
  u->report = ends[0];
  zl_autofd child_report = ends[1];

  r = spawn(options, child_input, child_report, &u->proc, err);
  if (r < 0)
    return zl_wrap(err, "starting the unpacking helper");
  *ret = zl_steal_ptr(&u);
  return 0;
}

/* Why a child ended that said nothing: a signal or a bug. */
static int silent_death(int status, struct zl_error *err)
{
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
    return zl_fail(err, ZL_E_INTERNAL, 0, "the unpacking helper made a forbidden system call");
  if (WIFSIGNALED(status))
    return zl_fail(err, ZL_E_INTERNAL, 0, "the unpacking helper was killed by signal %d (%s)",
                   WTERMSIG(status), strsignal(WTERMSIG(status)));
  return zl_fail(err, ZL_E_INTERNAL, 0, "the unpacking helper ended without a report (status %d)",
                 WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

/* Ends the input, reads the report and reaps the child. *ret is written on its success only. */
static int collect(struct zl_unpack *u, struct zl_unpack_result *ret, struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT(ZL_MAX_UNPACK_RESULT);
  int status, r;

  zl_fd_closep(&u->input);
  r = zl_unpack_report_read(u->report, &text, err);
  zl_fd_closep(&u->report);
  if (r < 0) {
    zl_proc_kill(&u->proc);
    return r;
  }
  r = zl_proc_wait(&u->proc, &status, err);
  if (r < 0)
    return r;
  if (text.len == 0)
    return silent_death(status, err);
  return zl_unpack_report_take(&text, u->staging, ret, err);
}

/* The child stopped reading: its own words say why. */
static int child_error(struct zl_unpack *u, struct zl_error *err)
{
  struct zl_unpack_result result = { .fixup = NULL };
  int r = collect(u, &result, err);

  if (r < 0)
    return r;
  zl_unpack_result_done(&result);
  return zl_fail(err, ZL_E_INTERNAL, 0, "the unpacking helper ended before its input");
}

int zl_unpack_write(struct zl_unpack *u, const void *data, size_t len, struct zl_error *err)
{
  const char *p = data;

  if (u->input < 0)
    return zl_fail(err, ZL_E_INVALID, 0, "the layer's input has ended");
  while (len > 0) {
    ssize_t n = send(u->input, p, len, MSG_NOSIGNAL);

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
      return child_error(u, err);
    if (n < 0)
      return zl_fail_errno(err, "writing to the unpacking helper");
    p += n;
    len -= (size_t)n;
  }
  return 0;
}

int zl_unpack_finish(struct zl_unpack *u, struct zl_unpack_result *ret, struct zl_error *err)
{
  if (u->input < 0)
    return zl_fail(err, ZL_E_INVALID, 0, "the layer's input has ended");
  return collect(u, ret, err);
}

void zl_unpack_free(struct zl_unpack *u)
{
  if (u == NULL)
    return;
  zl_fd_closep(&u->input);
  zl_fd_closep(&u->report);
  zl_proc_kill(&u->proc);
  zl_fd_closep(&u->staging);
  free(u);
}

void zl_unpack_result_done(struct zl_unpack_result *result)
{
  free(result->fixup);
  result->fixup = NULL;
}
