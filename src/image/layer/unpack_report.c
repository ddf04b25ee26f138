/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/unpack_report.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/limits.h"
#include "image/layer/hide_lower.h"
#include "image/layer/notes.h"

enum {
  /* The rest of the input is in memory by now; only a disk that hangs takes this long. */
  SILENCE_MS = 5 * 60 * 1000,
  READ_SIZE = 64 << 10
};

int zl_unpack_report_read(int fd, struct zl_buf *text, struct zl_error *err)
{
  for (;;) {
    struct pollfd p = { .fd = fd, .events = POLLIN };
    size_t room = text->max - text->len < READ_SIZE ? text->max - text->len : READ_SIZE;
    int r = poll(&p, 1, SILENCE_MS);
    ssize_t n;

    if (r < 0 && errno == EINTR)
      continue;
    if (r <= 0)
      return r == 0 ? zl_fail(err, ZL_E_TIMEOUT, 0, "the unpacking helper does not answer")
                    : zl_fail_errno(err, "waiting for the unpacking helper");
    r = room == 0 ? zl_fail(err, ZL_E_LIMIT, 0, "the unpacking helper's report is endless")
                  : zl_buf_reserve(text, room, err);
    if (r < 0)
      return r;
    n = read(fd, text->data + text->len, room);
    if (n < 0 && errno != EINTR)
      return zl_fail_errno(err, "reading the unpacking helper's report");
    if (n == 0)
      return 0;
    text->len += n > 0 ? (size_t)n : 0;
    text->data[text->len] = '\0';
  }
}

static int take_failure(const json_t *json, struct zl_error *err)
{
  int64_t code = 0, os_error = 0;
  const char *message = NULL;
  int r = zl_json_get_int(json, "report", "code", 1, ZL_E_MAX_ - 1, ZL_E_INTERNAL, &code, err);

  if (r == 0)
    r = zl_json_get_int(json, "report", "os_error", 0, 4095, 0, &os_error, err);
  if (r == 0)
    r = zl_json_get_string(json, "report", "message", &message, err);
  if (r < 0)
    return r;
  r = zl_fail(err, (enum zl_code)code, 0, "%s", message != NULL ? message : "unpacking failed");
  if (err != NULL)
    err->os_error = (int)os_error; /* the message names it already */
  return r;
}

static int take_number(const json_t *json, const char *key, uint64_t *ret, struct zl_error *err)
{
  int64_t value = 0;
  int r = zl_json_get_int(json, "report", key, 0, INT64_MAX, 0, &value, err);

  *ret = (uint64_t)value;
  return r;
}

static int take_head(const json_t *json, struct zl_unpack_result *ret, struct zl_error *err)
{
  const char *diff_id = NULL;
  uint64_t implicit = 0, deferred = 0;
  int r = zl_json_get_string(json, "report", "diff_id", &diff_id, err);

  if (r == 0 && (diff_id == NULL || !zl_digest_is_valid(diff_id, NULL)))
    return zl_fail(err, ZL_E_INTERNAL, 0, "the unpacking helper's report has no digest");
  if (r == 0)
    r = take_number(json, "stream_bytes", &ret->stream_bytes, err);
  if (r == 0)
    r = take_number(json, "bytes", &ret->bytes, err);
  if (r == 0)
    r = take_number(json, "entries", &ret->entries, err);
  if (r == 0)
    r = take_number(json, "skipped", &ret->skipped, err);
  if (r == 0)
    r = take_number(json, "implicit", &implicit, err);
  if (r == 0)
    r = take_number(json, "deferred", &deferred, err);
  if (r == 0)
    r = zl_json_get_bool(json, "report", "root_entry", false, &ret->root_entry, err);
  if (r < 0)
    return r;
  memcpy(ret->diff_id, diff_id, strlen(diff_id) + 1);
  ret->n_implicit = (size_t)implicit;
  ret->n_deferred = (size_t)deferred;
  return 0;
}

/* Marks the opaque directories, since trusted.* attributes take CAP_SYS_ADMIN, which the child does
 * not have. The rest, an opaque root included, needs the lower layers: that is for zl_layer_fixup.
 */
static int take_notes(const char *text, int staging_fd, struct zl_unpack_result *ret,
                      struct zl_error *err)
{
  zl_autobuf fixup = ZL_BUF_INIT(ZL_MAX_UNPACK_RESULT);
  zl_autofree struct zl_note *note = calloc(1, sizeof(*note));
  int r;

  if (note == NULL)
    return zl_fail_nomem(err, "notes about a layer");
  while ((r = zl_note_read(&text, note, err)) > 0) {
    if (staging_fd >= 0 && note->kind == 'o' && *note->path != '\0')
      r = zl_mark_opaque(staging_fd, note->path, err);
    else
      r = zl_note_write(&fixup, note->kind, note->path, note->kind == 'l' ? note->target : NULL,
                        err);
    if (r < 0)
      return r;
  }
  if (r < 0 || fixup.len == 0)
    return r;
  ret->fixup = zl_buf_steal(&fixup);
  return 0;
}

/* The line that both messages begin with; *ret is the caller's also after the child's error. */
static int take_line(const struct zl_buf *text, json_t **ret, const char **ret_rest,
                     struct zl_error *err)
{
  const char *end = text->len > 0 ? memchr(text->data, '\n', text->len) : NULL;
  bool ok = false;
  int r;

  if (end == NULL || strlen(text->data) != text->len)
    return zl_fail(err, ZL_E_INTERNAL, 0, "the unpacking helper's report is malformed");
  r = zl_json_parse(text->data, (size_t)(end - text->data), "report", ret, err);
  if (r == 0)
    r = zl_json_get_bool(*ret, "report", "ok", false, &ok, err);
  if (r == 0 && !ok)
    r = take_failure(*ret, err);
  *ret_rest = end + 1;
  return r;
}

int zl_unpack_report_take(const struct zl_buf *text, int staging_fd, struct zl_unpack_result *ret,
                          bool *ret_pending, struct zl_error *err)
{
  struct zl_unpack_result result = { .fixup = NULL };
  zl_autojson *json = NULL;
  const char *notes = "";
  int r;

  r = take_line(text, &json, &notes, err);
  if (r == 0)
    r = take_head(json, &result, err);
  if (r == 0)
    r = zl_json_get_bool(json, "report", "pending", false, ret_pending, err);
  if (r == 0)
    r = take_notes(notes, staging_fd, &result, err);
  if (r < 0)
    return r;
  *ret = result;
  return 0;
}

int zl_unpack_answer_take(const struct zl_buf *text, struct zl_error *err)
{
  zl_autojson *json = NULL;
  const char *rest;

  return take_line(text, &json, &rest, err);
}
