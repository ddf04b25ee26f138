/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/fake/course.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/lock.h"

#define FILE_NAME "fake.json"

void zl_course_close(struct zl_course *course)
{
  zl_fd_closep(&course->lock_fd);
  zl_fd_closep(&course->dir_fd);
}

static int write_json(int dir_fd, const char *name, const json_t *json, struct zl_error *err)
{
  zl_autofree char *text = NULL;
  int r = json != NULL ? zl_json_render(json, &text, err) : zl_fail_nomem(err, name);

  return r < 0 ? r : zl_file_replace(dir_fd, name, text, strlen(text), 0600, false, err);
}

int zl_course_save(const struct zl_course *c, struct zl_error *err)
{
  zl_autojson *json = json_pack(
      "{s:i, s:b, s:b, s:b, s:i, s:I, s:I}", "status", (int)c->status, "paused", (int)c->paused,
      "oom", (int)c->oom, "ignores_term", (int)c->ignores_term, "exit_code", c->exit_code,
      "started_at_ns", (json_int_t)c->started_at_ns, "ends_at_ns", (json_int_t)c->ends_at_ns);

  return write_json(c->dir_fd, FILE_NAME, json, err);
}

int zl_course_end(struct zl_runtime *rt, const char *id, struct zl_course *c, int exit_code,
                  int signal, const char *message, struct zl_error *err)
{
  const char *reason = message != NULL ? "runtime_error"
                       : c->oom        ? "oom_killed"
                       : signal > 0    ? "signal"
                                       : "exited";
  zl_autojson *json = json_pack(
      "{s:i, s:s, s:i, s:I, s:s*}", "exit_code", signal > 0 ? 128 + signal : exit_code, "reason",
      reason, "signal", signal, "finished_at_ns", (json_int_t)zl_time_wall(), "message", message);
  int r = write_json(c->dir_fd, "exit.json", json, err);

  if (r == 0) {
    c->ended = true;
    zl_event_emit(rt, "container", "die", id, reason);
  }
  return r;
}

static int parse(const json_t *json, struct zl_course *c, struct zl_error *err)
{
  int64_t status = 0, code = 0, started = 0, ends = 0;
  int r = zl_json_get_int(json, FILE_NAME, "status", 0, ZL_COURSE_STOPPING, 0, &status, err);

  if (r == 0)
    r = zl_json_get_int(json, FILE_NAME, "exit_code", 0, 255, 0, &code, err);
  if (r == 0)
    r = zl_json_get_int(json, FILE_NAME, "started_at_ns", 0, INT64_MAX, 0, &started, err);
  if (r == 0)
    r = zl_json_get_int(json, FILE_NAME, "ends_at_ns", 0, INT64_MAX, 0, &ends, err);
  if (r == 0)
    r = zl_json_get_bool(json, FILE_NAME, "paused", false, &c->paused, err);
  if (r == 0)
    r = zl_json_get_bool(json, FILE_NAME, "oom", false, &c->oom, err);
  if (r == 0)
    r = zl_json_get_bool(json, FILE_NAME, "ignores_term", false, &c->ignores_term, err);
  c->status = (enum zl_course_status)status;
  c->exit_code = (int)code;
  c->started_at_ns = (uint64_t)started;
  c->ends_at_ns = (uint64_t)ends;
  return r;
}

/* The clock may have brought the end since anybody looked. */
static int settle(struct zl_runtime *rt, const char *id, struct zl_course *c, struct zl_error *err)
{
  struct stat st;

  c->ended = fstatat(c->dir_fd, "exit.json", &st, AT_SYMLINK_NOFOLLOW) == 0;
  if (c->ended || c->status == ZL_COURSE_CREATED || c->paused || zl_time_boot() < c->ends_at_ns)
    return 0;
  return zl_course_end(rt, id, c, c->exit_code, c->oom ? 9 : 0, NULL, err);
}

int zl_course_open(struct zl_runtime *rt, const char *id, struct zl_course *ret,
                   struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  zl_autojson *json = NULL;
  zl_autocourse c = { .dir_fd = -1, .lock_fd = -1 };
  int r = zl_node_container_dir(rt, id, &c.dir_fd, err);

  if (r == 0)
    r = zl_lock_acquire(c.dir_fd, "fake.lock", UINT64_MAX, &c.lock_fd, err);
  if (r == 0)
    r = zl_file_read(c.dir_fd, FILE_NAME, &text, err);
  if (r == 0)
    r = zl_json_parse(text.data, text.len, FILE_NAME, &json, err);
  if (r == 0)
    r = parse(json, &c, err);
  if (r == 0)
    r = settle(rt, id, &c, err);
  if (r < 0)
    return r;
  *ret = c;
  c.dir_fd = c.lock_fd = -1;
  return 0;
}
