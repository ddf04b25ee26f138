/* SPDX-License-Identifier: Apache-2.0
 *
 * Attaching to a fake container replays its log at its end; an exec plays its script.
 */
#include "runtime/fake/session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "runtime/fake/course.h"
#include "runtime/fake/script.h"
#include "runtime/logs_file.h"

struct fake_session {
  struct zl_session base;
  struct zl_backend *backend;
  struct zl_script script; /* exec only */
  char target[ZL_ID_TEXT];
  bool is_exec;
};

static int put(int fd, const void *data, size_t len)
{
  return fd >= 0 && len > 0 ? zl_fd_write_full(fd, data, len) : 0;
}

static int replay(void *payload, const struct zl_log_entry *entry)
{
  const struct zl_stdio *stdio = payload;
  int fd = entry->stream == ZL_STDERR ? stdio->err : stdio->out;

  return put(fd, entry->text, entry->len) < 0 || put(fd, "\n", 1) < 0;
}

static int run_attach(struct fake_session *s, const struct zl_stdio *stdio, struct zl_outcome *ret,
                      struct zl_error *err)
{
  static const struct zl_logs_options all = { .tail = -1, .cancel_fd = -1 };
  zl_autofd dir = -1, log_fd = -1;
  ZL_CLEANUP(zl_log_file_done)
  struct zl_log_file log = { .fd = -1,
                             .rest = ZL_BUF_INIT(ZL_MAX_SMALL_FILE),
                             .options = &all,
                             .fn = replay,
                             .payload = (void *)(uintptr_t)stdio };
  int r = s->backend->ops->wait(s->backend, s->target, UINT64_MAX, s->base.cancel_fd, err);

  if (r == 0)
    r = zl_node_container_dir(s->backend->rt, s->target, &dir, err);
  if (r == 0)
    r = zl_ending_read(dir, ret, err);
  if (r < 0)
    return r;
  log_fd = zl_fd_open(dir, "log", O_RDONLY | O_DIRECTORY, 0);
  log.dir_fd = log_fd;
  if (log_fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -log_fd, "opening the log");
  r = zl_log_file_drain(&log, err);
  return r < 0 ? r : 0;
}

static void copy_input(const struct zl_stdio *stdio)
{
  char chunk[4096];
  ssize_t n;

  while (stdio->in >= 0 && ((n = read(stdio->in, chunk, sizeof(chunk))) > 0 || errno == EINTR))
    if (n > 0 && put(stdio->out, chunk, (size_t)n) < 0)
      return;
}

static int run_exec(struct fake_session *s, const struct zl_stdio *stdio, struct zl_outcome *ret,
                    struct zl_error *err)
{
  struct pollfd cancel = { .fd = s->base.cancel_fd, .events = POLLIN };

  (void)put(stdio->out, s->script.out.data, s->script.out.len);
  (void)put(stdio->err, s->script.err.data, s->script.err.len);
  if (s->script.copies_input)
    copy_input(stdio);
  if (poll(&cancel, 1, (int)(s->script.duration_ns / ZL_NS_PER_MS)) > 0)
    return zl_fail(err, ZL_E_CANCELLED, 0, "cancelled");
  *ret = (struct zl_outcome){ .exit_code = s->script.exit_code, .finished_at_ns = zl_time_wall() };
  return 0;
}

static int session_run(struct zl_session *base, const struct zl_stdio *stdio,
                       struct zl_outcome *ret, struct zl_error *err)
{
  struct fake_session *s = (struct fake_session *)base;

  return s->is_exec ? run_exec(s, stdio, ret, err) : run_attach(s, stdio, ret, err);
}

static void session_close(struct zl_session *base)
{
  struct fake_session *s = (struct fake_session *)base;

  if (s->is_exec)
    zl_script_done(&s->script);
}

static const struct zl_session_ops session_ops = { .run = session_run, .close = session_close };

static int session_new(struct zl_backend *backend, const char *id, struct fake_session **ret,
                       struct zl_error *err)
{
  struct fake_session *s = calloc(1, sizeof(*s));
  int r;

  if (s == NULL)
    return zl_fail_nomem(err, "session");
  r = zl_session_init(&s->base, &session_ops, err);
  if (r < 0) {
    free(s);
    return r;
  }
  s->backend = backend;
  (void)snprintf(s->target, sizeof(s->target), "%s", id);
  *ret = s;
  return 0;
}

int zl_fake_attach(struct zl_backend *backend, const char *id, struct zl_session **ret,
                   struct zl_error *err)
{
  struct fake_session *s = NULL;
  int r;
  {
    zl_autocourse course = { .dir_fd = -1, .lock_fd = -1 };

    r = zl_course_open(backend->rt, id, &course, err);
    if (r == 0 && course.ended)
      r = zl_fail(err, ZL_E_CONFLICT, 0, "it has ended");
  }
  if (r == 0)
    r = session_new(backend, id, &s, err);
  if (r == 0)
    *ret = &s->base;
  return r;
}

static int check_running(struct zl_backend *backend, const char *id, struct zl_error *err)
{
  zl_autocourse course = { .dir_fd = -1, .lock_fd = -1 };
  int r = zl_course_open(backend->rt, id, &course, err);

  if (r == 0 && (course.ended || course.status == ZL_COURSE_CREATED))
    r = zl_fail(err, ZL_E_CONFLICT, 0, "it does not run");
  return r;
}

int zl_fake_exec(struct zl_backend *backend, const char *id, const struct zl_exec_options *options,
                 struct zl_session **ret, struct zl_error *err)
{
  struct fake_session *s = NULL;
  zl_autoscript script = { 0 };
  int r = check_running(backend, id, err);

  if (r == 0)
    r = zl_script_parse(options->argv, id, &script, err);
  if (r == 0)
    r = session_new(backend, id, &s, err);
  if (r < 0)
    return r;
  // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): without a session r is never 0
  s->is_exec = true;
  s->script = script;
  script = (struct zl_script){ 0 };
  *ret = &s->base;
  return 0;
}
