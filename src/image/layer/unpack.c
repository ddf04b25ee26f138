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
#include "image/layer/fixup_archive.h"
#include "image/layer/unpack_report.h"

struct zl_unpack {
  struct zl_proc proc;
  int input;   /* -1: ended */
  int report;  /* -1: read */
  int staging; /* for what only this side may do; -1: an image, which the child completes */
  int fix;     /* to the child that waits for lower layers */
  int answer;  /* what it says then */
};

/* The child's ends, and what it gets for them. */
struct child_fds {
  int input, report, staging, image, fix, answer;
};
#define CHILD_FDS_INIT                                                             \
  {                                                                                \
    .input = -1, .report = -1, .staging = -1, .image = -1, .fix = -1, .answer = -1 \
  }

static void child_fds_close(struct child_fds *fds)
{
  zl_fd_closep(&fds->input);
  zl_fd_closep(&fds->report);
  zl_fd_closep(&fds->fix);
  zl_fd_closep(&fds->answer);
}

enum {
  NUMBER_TEXT = 24
};

static uint64_t or_default(uint64_t value, uint64_t fallback)
{
  return value != 0 ? value : fallback;
}

static int spawn(const struct zl_unpack_options *o, const struct child_fds *child,
                 struct zl_proc *ret, struct zl_error *err)
{
  char bytes[NUMBER_TEXT], entries[NUMBER_TEXT], reserve[NUMBER_TEXT];
  const char *argv[] = { "zlayer-unpack",
                         zl_compression_name(o->compression),
                         o->diff_alg == ZL_SHA512 ? "sha512" : "sha256",
                         bytes,
                         entries,
                         reserve,
                         o->devices ? "1" : "0",
                         o->plain   ? "plain"
                         : o->image ? "erofs"
                                    : "directory",
                         NULL };
  const struct zl_proc_fd fds[] = { { child->input, 0 },  { child->staging, 3 },
                                    { child->report, 4 }, { child->image, 5 },
                                    { child->fix, 6 },    { child->answer, 7 } };
  struct zl_proc_options spawn_options = { .path = o->helper,
                                           .exec_fd = -1,
                                           .argv = argv,
                                           .fds = fds,
                                           .n_fds = o->image ? ZL_COUNT(fds) : 3 };

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
static int make_socket(int *ret_ours, int *ret_child, struct zl_error *err)
{
  int pair[2];

  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
    return zl_fail_errno(err, "making a socket pair");
  *ret_ours = pair[0];
  *ret_child = pair[1];
  return 0;
}

static int make_pipe(int *ret_ours, int *ret_child, struct zl_error *err)
{
  int ends[2], r = zl_fd_pipe(ends, err);

  if (r < 0)
    return r;
  *ret_ours = ends[0];
  *ret_child = ends[1];
  return 0;
}

static int make_channels(struct zl_unpack *u, bool image, struct child_fds *child,
                         struct zl_error *err)
{
  int r = make_socket(&u->input, &child->input, err);

  if (r == 0)
    r = make_pipe(&u->report, &child->report, err);
  if (r == 0 && image)
    r = make_socket(&u->fix, &child->fix, err);
  if (r == 0 && image)
    r = make_pipe(&u->answer, &child->answer, err);
  return r;
}

int zl_unpack_start(const struct zl_unpack_options *options, struct zl_unpack **ret,
                    struct zl_error *err)
{
  ZL_CLEANUP(zl_unpack_freep) struct zl_unpack *u = calloc(1, sizeof(*u));
  ZL_CLEANUP(child_fds_close) struct child_fds child = CHILD_FDS_INIT;
  int r;

  if (u == NULL)
    return zl_fail_nomem(err, "unpacking a layer");
  u->input = u->report = u->staging = u->fix = u->answer = u->proc.pidfd = -1;
  if (!options->image) {
    r = zl_fd_copy(options->staging_fd);
    if (r < 0)
      return zl_fail(err, ZL_E_SYSTEM, -r, "copying the staging descriptor");
    u->staging = r;
  }
  child.staging = options->staging_fd;
  child.image = options->image_fd;
  r = make_channels(u, options->image, &child, err);
  if (r == 0)
    r = spawn(options, &child, &u->proc, err);
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

/* All that the child says on one of its pipes. */
static int read_report(struct zl_unpack *u, int *fd, struct zl_buf *text, struct zl_error *err)
{
  int r = zl_unpack_report_read(*fd, text, err);

  zl_fd_closep(fd);
  if (r < 0)
    zl_proc_kill(&u->proc);
  return r;
}

/* The end of a child that said `text`, which was taken with the result `r`. */
static int reap(struct zl_unpack *u, const struct zl_buf *text, int r, struct zl_error *err)
{
  struct zl_error ignored;
  int status, waited = zl_proc_wait(&u->proc, &status, r < 0 ? &ignored : err);

  if (waited < 0)
    return r < 0 ? r : waited;
  return text->len == 0 ? silent_death(status, err) : r;
}

/* Ends the input, reads the report and reaps the child. *ret is written on its success only. */
static int collect(struct zl_unpack *u, struct zl_unpack_result *ret, struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT(ZL_MAX_UNPACK_RESULT);
  bool pending = false;
  int r;

  zl_fd_closep(&u->input);
  r = read_report(u, &u->report, &text, err);
  if (r == 0 && text.len > 0)
    r = zl_unpack_report_take(&text, u->staging, ret, &pending, err);
  if (r == 0 && pending && u->fix >= 0)
    return 0;
  return reap(u, &text, r, err);
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

static int send_all(void *ctx, const void *data, size_t len, struct zl_error *err)
{
  const struct zl_unpack *u = ctx;
  const char *p = data;

  while (len > 0) {
    ssize_t n = send(u->fix, p, len, MSG_NOSIGNAL);

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return zl_fail_errno(err, "writing to the unpacking helper");
    p += n;
    len -= (size_t)n;
  }
  return 0;
}

int zl_unpack_fix(struct zl_unpack *u, const int *lower_fds, size_t n_lower, const char *fixup,
                  struct zl_error *err)
{
  const struct zl_byte_sink to = { .write = send_all, .ctx = u };
  zl_autobuf text = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  struct zl_error answer = { 0 };
  int sent, r;

  if (u->fix < 0)
    return zl_fail(err, ZL_E_INVALID, 0, "the layer does not wait for others");
  sent = zl_fixup_archive(lower_fds, n_lower, fixup, &to, err);
  if (sent < 0 && (err == NULL || (err->os_error != EPIPE && err->os_error != ECONNRESET)))
    return sent;
  zl_fd_closep(&u->fix);
  r = read_report(u, &u->answer, &text, &answer);
  if (r == 0 && text.len > 0)
    r = zl_unpack_answer_take(&text, &answer);
  r = reap(u, &text, r, &answer);
  if (r < 0 && err != NULL)
    *err = answer;
  return r < 0 ? r : sent;
}

void zl_unpack_free(struct zl_unpack *u)
{
  if (u == NULL)
    return;
  zl_fd_closep(&u->input);
  zl_fd_closep(&u->report);
  zl_proc_kill(&u->proc);
  zl_fd_closep(&u->staging);
  zl_fd_closep(&u->fix);
  zl_fd_closep(&u->answer);
  free(u);
}

void zl_unpack_result_done(struct zl_unpack_result *result)
{
  free(result->fixup);
  result->fixup = NULL;
}
