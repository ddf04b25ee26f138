/* SPDX-License-Identifier: Apache-2.0
 *
 * What attach and exec have in common, and the buffered exec.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/limits.h"
#include "runtime/node.h"

int zl_session_run(struct zl_session *session, const struct zl_stdio *stdio, struct zl_outcome *ret,
                   struct zl_error *err)
{
  zl_autorecord record = { 0 };
  struct zl_observation seen;
  int r = session->ops->run(session, stdio, ret, err);

  if (r < 0)
    return zl_context(r, err, "session with container '%s'", session->id);
  if (session->is_attach && zl_record_load(session->rt, session->id, &record, NULL) == 0 &&
      record.auto_remove && zl_observe(session->rt, &record, &seen, NULL) == 0)
    zl_remove_if_due(session->rt, &record, &seen);
  return 0;
}

int zl_session_resize(struct zl_session *session, unsigned rows, unsigned cols,
                      struct zl_error *err)
{
  if (!session->tty)
    return zl_fail(err, ZL_E_CONFLICT, 0, "the session with container '%s' has no terminal",
                   session->id);
  return session->ops->resize(session, rows, cols, err);
}

void zl_session_cancel(struct zl_session *session)
{
  int saved = errno; /* may be called by a signal handler */
  uint64_t one = 1;

  (void)!write(session->cancel_fd, &one, sizeof(one));
  errno = saved;
}

void zl_session_close(struct zl_session *session)
{
  if (session == NULL)
    return;
  session->ops->close(session);
  zl_fd_closep(&session->cancel_fd);
  free(session);
}

/* ---- Buffered exec ---- */

/* One stream being collected by a thread of its own: the session runs in the caller's. */
struct collector {
  int read_fd, write_fd;
  struct zl_buf kept;
  bool truncated;
  bool started;
  pthread_t thread;
};

static void *collect(void *arg)
{
  struct collector *c = arg;
  char chunk[16384];
  ssize_t n;

  while ((n = read(c->read_fd, chunk, sizeof(chunk))) > 0 || (n < 0 && errno == EINTR))
    if (n > 0 && zl_buf_append(&c->kept, chunk, (size_t)n, NULL) < 0)
      c->truncated = true; /* read on, so that the process is not held up */
  return NULL;
}

static int collector_start(struct collector *c, struct zl_error *err)
{
  int ends[2], os_error;
  int r = zl_fd_pipe(ends, err);

  if (r < 0)
    return r;
  c->read_fd = ends[0];
  c->write_fd = ends[1];
  os_error = pthread_create(&c->thread, NULL, collect, c);
  if (os_error != 0)
    return zl_fail(err, ZL_E_SYSTEM, os_error, "starting a thread");
  c->started = true;
  return 0;
}

static void collector_finish(struct collector *c)
{
  zl_fd_closep(&c->write_fd);
  if (c->started)
    (void)pthread_join(c->thread, NULL);
  c->started = false;
  zl_fd_closep(&c->read_fd);
}

static void collector_done(struct collector *c)
{
  collector_finish(c);
  zl_buf_done(&c->kept);
}

static int take_output(struct collector *c, char **ret, size_t *ret_len, struct zl_error *err)
{
  *ret_len = c->kept.len;
  *ret = zl_buf_steal(&c->kept);
  return *ret != NULL ? 0 : zl_fail_nomem(err, "output of a command");
}

static void session_closep(struct zl_session **session)
{
  zl_session_close(*session);
}

int zl_exec(struct zl_runtime *rt, const char *id, const struct zl_exec_options *options,
            struct zl_exec_result *ret, struct zl_error *err)
{
  ZL_CLEANUP(session_closep) struct zl_session *session = NULL;
  ZL_CLEANUP(collector_done)
  struct collector out = { -1, -1, ZL_BUF_INIT(ZL_MAX_EXEC_OUTPUT), false, false, 0 };
  ZL_CLEANUP(collector_done)
  struct collector errs = { -1, -1, ZL_BUF_INIT(ZL_MAX_EXEC_OUTPUT), false, false, 0 };
  ZL_CLEANUP(zl_exec_result_done) struct zl_exec_result result = { 0 };
  struct zl_outcome outcome;
  int r = collector_start(&out, err);

  if (r == 0)
    r = collector_start(&errs, err);
  if (r == 0)
    r = zl_exec_open(rt, id, options, &session, err);
  if (r == 0)
    r = zl_session_run(session,
                       &(struct zl_stdio){ .in = -1, .out = out.write_fd, .err = errs.write_fd },
                       &outcome, err);
  if (r < 0)
    return r;
  collector_finish(&out);
  collector_finish(&errs);
  result.exit_code = outcome.exit_code;
  result.truncated = out.truncated || errs.truncated;
  r = take_output(&out, &result.out, &result.out_len, err);
  if (r == 0)
    r = take_output(&errs, &result.err, &result.err_len, err);
  if (r < 0)
    return r;
  *ret = result;
  result = (struct zl_exec_result){ 0 };
  return 0;
}

void zl_exec_result_done(struct zl_exec_result *result)
{
  free(result->out);
  free(result->err);
  *result = (struct zl_exec_result){ 0 };
}
