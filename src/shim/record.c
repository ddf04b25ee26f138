/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/record.h"

#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/proc.h"
#include "base/time.h"

static const char *const status_names[] = { "created", "running", "stopping", "stopped" };

const char *record_status_name(enum status status)
{
  return status_names[status];
}

static int replace_json(const struct shim *shim, const char *name, const json_t *json,
                        struct zl_error *err)
{
  zl_autofree char *text = NULL;
  int r = json != NULL ? zl_json_render(json, &text, err) : zl_fail_nomem(err, name);

  if (r < 0)
    return r;
  return zl_file_replace(shim->dir_fd, name, text, strlen(text), 0600, false, err);
}

int record_state(const struct shim *shim, struct zl_error *err)
{
  char boot_id[ZL_BOOT_ID_TEXT];
  zl_autojson *json = NULL;
  int r = zl_time_boot_id(boot_id, err);

  if (r < 0)
    return r;
  json = json_pack("{s:i, s:I, s:s, s:s, s:I, s:I, s:s*}", "pid", (int)shim->pid, "start_time",
                   (json_int_t)shim->start_time, "boot_id", boot_id, "status",
                   status_names[shim->status], "created_at_ns", (json_int_t)shim->created_at_ns,
                   "started_at_ns", (json_int_t)shim->started_at_ns, "tier", shim->tier);
  return replace_json(shim, "state.json", json, err);
}

int record_exit(const struct shim *shim, struct zl_error *err)
{
  zl_autojson *json = exit_render(&shim->exit);

  return replace_json(shim, "exit.json", json, err);
}

int record_event(const struct shim *shim, struct zl_error *err)
{
  char time[ZL_TIME_TEXT];
  zl_autojson *json = NULL;
  zl_autofree char *text = NULL;
  const int flags = O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW;
  zl_autofd fd = shim->events != NULL ? zl_fd_open(AT_FDCWD, shim->events, flags, 0600)
                                      : zl_fd_open(shim->dir_fd, "../../events.log", flags, 0600);
  size_t len;
  int r;

  if (fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -fd, "opening events.log");
  json = json_pack("{s:s, s:s, s:s, s:s, s:i, s:s, s:s*}", "time",
                   zl_time_format(shim->exit.finished_at_ns, time), "type", "container", "action",
                   "die", "id", shim->id, "exit_code", shim->exit.code, "reason",
                   exit_reason_name(shim->exit.reason), "tier", shim->tier);
  r = json != NULL ? zl_json_render(json, &text, err) : zl_fail_nomem(err, "event");
  if (r < 0)
    return r;
  len = strlen(text);
  text[len] = '\n'; /* in place of the NUL: one write, so that lines of many shims do not mix */
  r = zl_fd_write_full(fd, text, len + 1);
  return r < 0 ? zl_fail(err, ZL_E_SYSTEM, -r, "writing events.log") : 0;
}
