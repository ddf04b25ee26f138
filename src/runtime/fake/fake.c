/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/fake/fake.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "base/dir.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/path.h"
#include "base/signals.h"
#include "runtime/fake/course.h"
#include "runtime/fake/script.h"
#include "runtime/fake/session.h"
#include "runtime/plan.h"

enum {
  POLL_MS = 10
};

static int fake_open(struct zl_runtime *rt, struct zl_backend **ret, struct zl_error *err)
{
  struct zl_backend *backend = calloc(1, sizeof(*backend));

  if (backend == NULL)
    return zl_fail_nomem(err, "fake backend");
  backend->ops = &zl_fake_ops;
  backend->rt = rt;
  *ret = backend;
  return 0;
}

static void fake_close(struct zl_backend *backend)
{
  free(backend);
}

static int fake_check(struct zl_backend *backend, const struct zl_service *service,
                      struct zl_error *err)
{
  (void)backend;
  return service->tty ? zl_fail(err, ZL_E_UNSUPPORTED, 0,
                                "services.%s.tty: fake containers have no terminal", service->name)
                      : 0;
}

static int fake_create(struct zl_backend *backend, const struct zl_container_plan *plan,
                       struct zl_error *err)
{
  struct zl_course course = { .dir_fd = plan->dir_fd, .lock_fd = -1 };

  (void)backend;
  if (mkdirat(plan->dir_fd, "log", 0700) < 0 && errno != EEXIST)
    return zl_fail_errno(err, "making directory 'log'");
  return zl_course_save(&course, err);
}

/* ---- Start ---- */

static int write_log(int dir_fd, const char *stream, const struct zl_buf *text,
                     struct zl_error *err)
{
  zl_autobuf lines = ZL_BUF_INIT(ZL_MAX_JSON);
  zl_autofd fd = -1;
  char when[ZL_TIME_TEXT];
  int r = 0;

  for (const char *p = text->data; r == 0 && p != NULL && *p != '\0';) {
    size_t len = strcspn(p, "\n");

    r = zl_buf_printf(&lines, err, "%s %s F %.*s\n", zl_time_format(zl_time_wall(), when), stream,
                      (int)len, p);
    p += len + (p[len] == '\n' ? 1 : 0);
  }
  if (r < 0 || lines.len == 0)
    return r;
  fd = zl_fd_open(dir_fd, "log/container.log", O_WRONLY | O_CREAT | O_APPEND, 0600);
  r = fd < 0 ? fd : zl_fd_write_full(fd, lines.data, lines.len);
  fd = fd < 0 ? -1 : fd;
  return r < 0 ? zl_fail(err, ZL_E_SYSTEM, -r, "writing the log") : 0;
}

static int load_script(const struct zl_course *course, const char *id, struct zl_script *ret,
                       struct zl_error *err)
{
  zl_autorecord record = { 0 };
  zl_autodescription d = { 0 };
  int r = zl_record_restore(course->dir_fd, &record, err);

  if (r == 0)
    r = zl_description_parse(record.config, &d, err);
  return r < 0 ? r : zl_script_parse((const char *const *)d.command, id, ret, err);
}

static int run_script(struct zl_course *course, const struct zl_script *script,
                      struct zl_error *err)
{
  int r = write_log(course->dir_fd, "stdout", &script->out, err);

  if (r == 0)
    r = write_log(course->dir_fd, "stderr", &script->err, err);
  if (r < 0)
    return r;
  course->status = ZL_COURSE_RUNNING;
  course->oom = script->oom;
  course->ignores_term = script->ignores_term;
  course->exit_code = script->exit_code;
  course->started_at_ns = zl_time_wall();
  course->ends_at_ns = zl_time_boot() + script->duration_ns;
  return zl_course_save(course, err);
}

static int fake_start(struct zl_backend *backend, const char *id, struct zl_error *err)
{
  zl_autocourse course = { .dir_fd = -1, .lock_fd = -1 };
  zl_autoscript script = { 0 };
  int r = zl_course_open(backend->rt, id, &course, err);

  if (r < 0)
    return r;
  if (course.ended)
    return zl_fail(err, ZL_E_CONFLICT, 0, "it has ended");
  if (course.status != ZL_COURSE_CREATED)
    return 0;
  r = load_script(&course, id, &script, err);
  if (r == -ZL_E_NO_COMMAND)
    (void)zl_course_end(backend->rt, id, &course, 127, 0, "no such command", NULL);
  return r < 0 ? r : run_script(&course, &script, err);
}

/* ---- Signals ---- */

static int deliver(struct zl_runtime *rt, const char *id, struct zl_course *course, int signal,
                   struct zl_error *err)
{
  if (signal == SIGTERM && course->ignores_term)
    return 0;
  course->oom = false;
  return zl_course_end(rt, id, course, 0, signal, NULL, err);
}

static int fake_kill(struct zl_backend *backend, const char *id, int signal, struct zl_error *err)
{
  zl_autocourse course = { .dir_fd = -1, .lock_fd = -1 };
  int r = zl_course_open(backend->rt, id, &course, err);

  if (r < 0)
    return r;
  if (course.ended || course.status == ZL_COURSE_CREATED)
    return zl_fail(err, ZL_E_CONFLICT, 0, "it does not run");
  return deliver(backend->rt, id, &course, signal, err);
}

static int begin_stop(struct zl_backend *backend, const char *id, int signal, bool *ret_ended,
                      struct zl_error *err)
{
  zl_autocourse course = { .dir_fd = -1, .lock_fd = -1 };
  int r = zl_course_open(backend->rt, id, &course, err);

  if (r == 0 && !course.ended && course.status == ZL_COURSE_CREATED)
    signal = ZL_SIGNAL_KILL;
  if (r == 0 && !course.ended) {
    course.status = ZL_COURSE_STOPPING;
    r = zl_course_save(&course, err);
    if (r == 0)
      r = deliver(backend->rt, id, &course, signal, err);
  }
  *ret_ended = course.ended;
  return r;
}

static int fake_wait(struct zl_backend *backend, const char *id, uint64_t deadline_ns,
                     int cancel_fd, struct zl_error *err)
{
  for (;;) {
    zl_autocourse course = { .dir_fd = -1, .lock_fd = -1 };
    struct pollfd cancel = { .fd = cancel_fd, .events = POLLIN };
    int r = zl_course_open(backend->rt, id, &course, err);

    if (r == -ZL_E_NOT_FOUND || (r == 0 && course.ended))
      return 0;
    if (r < 0)
      return r;
    zl_course_close(&course);
    if (zl_time_boot() >= deadline_ns)
      return zl_fail(err, ZL_E_TIMEOUT, 0, "container '%s' still runs", id);
    if (poll(&cancel, 1, POLL_MS) > 0)
      return zl_fail(err, ZL_E_CANCELLED, 0, "cancelled");
  }
}

static int fake_stop(struct zl_backend *backend, const char *id, int signal, uint64_t grace_ms,
                     struct zl_error *err)
{
  bool ended = false;
  int r = begin_stop(backend, id, signal, &ended, err);

  if (r < 0 || ended)
    return r;
  r = fake_wait(backend, id, zl_time_boot() + grace_ms * ZL_NS_PER_MS, -1, err);
  return r == -ZL_E_TIMEOUT ? begin_stop(backend, id, ZL_SIGNAL_KILL, &ended, err) : r;
}

static int fake_pause(struct zl_backend *backend, const char *id, bool freeze, struct zl_error *err)
{
  zl_autocourse course = { .dir_fd = -1, .lock_fd = -1 };
  uint64_t now = zl_time_boot();
  int r = zl_course_open(backend->rt, id, &course, err);

  if (r < 0)
    return r;
  if (course.ended || course.status == ZL_COURSE_CREATED)
    return zl_fail(err, ZL_E_CONFLICT, 0, "it does not run");
  if (course.paused == freeze)
    return 0;
  course.paused = freeze;
  course.ends_at_ns = freeze ? course.ends_at_ns - now : course.ends_at_ns + now;
  return zl_course_save(&course, err);
}

/* ---- Facts ---- */

static int fake_state(struct zl_backend *backend, const char *id, struct zl_facts *ret,
                      struct zl_error *err)
{
  static const enum zl_presence presences[] = { [ZL_COURSE_CREATED] = ZL_PRESENCE_CREATED,
                                                [ZL_COURSE_RUNNING] = ZL_PRESENCE_RUNNING,
                                                [ZL_COURSE_STOPPING] = ZL_PRESENCE_STOPPING };
  zl_autocourse course = { .dir_fd = -1, .lock_fd = -1 };
  zl_autofd dir = -1;
  int r = zl_node_container_dir(backend->rt, id, &dir, err);

  *ret = (struct zl_facts){ .presence = ZL_PRESENCE_NONE };
  if (r == -ZL_E_NOT_FOUND)
    return 0;
  if (r == 0)
    r = zl_course_open(backend->rt, id, &course, err);
  if (r == 0) {
    ret->presence = presences[course.status];
    ret->paused = course.paused && !course.ended;
    ret->started_at_ns = course.started_at_ns;
  } else if (r == -ZL_E_NOT_FOUND) {
    ret->presence = ZL_PRESENCE_LOST;
  } else {
    return r;
  }
  r = zl_ending_read(dir, &ret->outcome, err);
  if (r == 0)
    ret->presence = ZL_PRESENCE_ENDED;
  return r == -ZL_E_NOT_FOUND ? 0 : r;
}

static int fake_remove(struct zl_backend *backend, const char *id, struct zl_error *err)
{
  (void)backend;
  (void)id;
  (void)err;
  return 0;
}

static int fake_enumerate(struct zl_backend *backend, zl_id_fn fn, void *payload,
                          struct zl_error *err)
{
  zl_autodir *dir = zl_dir_open(backend->rt->containers_fd, ".");
  struct dirent *e;

  if (dir == NULL)
    return zl_fail_errno(err, "reading directory 'containers'");
  while ((e = readdir(dir)) != NULL) {
    char path[ZL_ID_TEXT + 16];
    struct stat st;

    (void)snprintf(path, sizeof(path), "%.128s/fake.json", e->d_name);
    if (zl_path_is_name(e->d_name, ZL_MAX_ID) &&
        fstatat(backend->rt->containers_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        fn(payload, e->d_name) != 0)
      return 0;
  }
  return 0;
}

static int fake_adopt(struct zl_backend *backend, const char *id, struct zl_error *err)
{
  zl_autocourse course = { .dir_fd = -1, .lock_fd = -1 };

  return zl_course_open(backend->rt, id, &course, err);
}

static int fake_describe(struct zl_backend *backend, struct json_t *to, struct zl_error *err)
{
  (void)backend;
  (void)to;
  (void)err;
  return 0;
}

const struct zl_runtime_ops zl_fake_ops = {
  .name = "fake",
  .isolation = ZL_ISOLATION_PROCESS,
  .caps = ZL_RT_ATTACH | ZL_RT_EXEC | ZL_RT_PAUSE,
  .open = fake_open,
  .close = fake_close,
  .check = fake_check,
  .create = fake_create,
  .start = fake_start,
  .stop = fake_stop,
  .kill = fake_kill,
  .remove = fake_remove,
  .state = fake_state,
  .wait = fake_wait,
  .enumerate = fake_enumerate,
  .adopt = fake_adopt,
  .describe = fake_describe,
  .attach = zl_fake_attach,
  .exec = zl_fake_exec,
  .pause = fake_pause,
};
