/* SPDX-License-Identifier: Apache-2.0
 *
 * Exit records: exit.json, the one proof that a container has ended.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/limits.h"
#include "runtime/node.h"

#define FILE_NAME "exit.json"

static int parse_reason(const char *text, enum zl_exit_reason *ret, struct zl_error *err)
{
  for (enum zl_exit_reason i = ZL_EXIT_EXITED; i <= ZL_EXIT_RUNTIME_ERROR; i++) {
    if (text == NULL || strcmp(zl_exit_reason_name(i), text) != 0)
      continue;
    *ret = i;
    return 0;
  }
  return zl_fail(err, ZL_E_CORRUPT, 0, "exit record: unknown reason '%.40s'",
                 text != NULL ? text : "");
}

int zl_ending_parse(const json_t *object, const char *what, struct zl_outcome *ret,
                    struct zl_error *err)
{
  int64_t code = 0, signal = 0, finished = 0;
  const char *why = NULL, *message = NULL;
  enum zl_exit_reason kind = ZL_EXIT_EXITED;
  int r = zl_json_get_int(object, what, "exit_code", INT32_MIN, INT32_MAX, 0, &code, err);

  if (r == 0)
    r = zl_json_get_int(object, what, "signal", 0, 64, 0, &signal, err);
  if (r == 0)
    r = zl_json_get_int(object, what, "finished_at_ns", 0, INT64_MAX, 0, &finished, err);
  if (r == 0)
    r = zl_json_get_string(object, what, "reason", &why, err);
  if (r == 0)
    r = zl_json_get_string(object, what, "message", &message, err);
  if (r == 0)
    r = parse_reason(why, &kind, err);
  if (r < 0)
    return r;
  *ret = (struct zl_outcome){ .exit_code = (int)code,
                              .reason = kind,
                              .signal = (int)signal,
                              .finished_at_ns = (uint64_t)finished };
  (void)snprintf(ret->message, sizeof(ret->message), "%s", message != NULL ? message : "");
  return 0;
}

int zl_ending_read(int dir_fd, struct zl_outcome *ret, struct zl_error *err)
{
  zl_autobuf buf = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  zl_autojson *json = NULL;
  int r = zl_file_read(dir_fd, FILE_NAME, &buf, err);

  if (r == 0)
    r = zl_json_parse(buf.data, buf.len, FILE_NAME, &json, err);
  return r < 0 ? r : zl_ending_parse(json, FILE_NAME, ret, err);
}

int zl_ending_write_lost(int dir_fd, const char *why, bool *ret_written, struct zl_error *err)
{
  zl_autofree char *text = NULL;
  zl_autojson *json = NULL;
  struct stat st;
  int r;

  *ret_written = false;
  if (fstatat(dir_fd, FILE_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0)
    return 0;
  json = json_pack("{s:i, s:s, s:i, s:I, s:s}", "exit_code", 125, "reason",
                   zl_exit_reason_name(ZL_EXIT_RUNTIME_ERROR), "signal", 0, "finished_at_ns",
                   (json_int_t)zl_time_wall(), "message", why);
  if (json == NULL)
    return zl_fail_nomem(err, "exit record");
  r = zl_json_render(json, &text, err);
  if (r == 0)
    r = zl_file_replace(dir_fd, FILE_NAME, text, strlen(text), 0600, false, err);
  *ret_written = r == 0;
  return r;
}
